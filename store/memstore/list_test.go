package memstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

func (b *bench) list(q store.ListRequest) store.Page {
	b.Helper()
	page, err := b.List(context.Background(), q)
	if err != nil {
		b.Fatalf("list: %v", err)
	}
	return page
}

// Records that come and go between two pages disturb none of those that stay.
func TestListPagesAreStable(t *testing.T) {
	for _, class := range []store.Class{store.ClassOpen, store.ClassUnknown, store.ClassDone} {
		b := open(t, Config{})
		add := func(name string) {
			who := key(name, 0)
			if token := b.claim(who, store.Granted); class == store.ClassDone {
				b.complete(who, token, []byte("reply"))
			}
			if b.last.Load()%7 == 0 { // many stand at the same time
				b.clock.pass(time.Millisecond)
			}
		}
		for i := range 500 {
			add(fmt.Sprint("first ", i))
		}
		if class == store.ClassUnknown {
			b.clock.pass(lease)
		}
		listed := map[string]bool{}
		var last store.Time
		q := store.ListRequest{Class: class, Limit: 33}
		for {
			page := b.list(q)
			for _, r := range page.Records {
				switch {
				case r.Reply != nil:
					t.Fatalf("%v: a listed record has its reply", class)
				case listed[r.Key]:
					t.Fatalf("%v: %q is listed twice", class, r.Key)
				case r.FirstSeen < last:
					t.Fatalf("%v: %q of %d comes after one of %d", class, r.Key, r.FirstSeen, last)
				}
				listed[r.Key], last = true, r.FirstSeen
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
			if len(listed) < 400 {
				add(fmt.Sprint("later ", len(listed)))
			}
		}
		for i := range 500 {
			if name := fmt.Sprint("first ", i); !listed[name] {
				t.Errorf("%v: %q is not listed", class, name)
			}
		}
	}
}

func TestListFullPageIsTheLast(t *testing.T) {
	b := open(t, Config{})
	for i := range 10 {
		b.claim(key(fmt.Sprint(i), 0), store.Granted)
	}
	for limit, next := range map[int]bool{9: true, 10: false, 11: false} {
		page := b.list(store.ListRequest{Class: store.ClassOpen, Limit: limit})
		if len(page.Records) != min(limit, 10) || (page.Next != "") != next {
			t.Errorf("limit %d: %d records, next %q", limit, len(page.Records), page.Next)
		}
	}
}

func TestListFilters(t *testing.T) {
	b := open(t, Config{})
	for _, class := range []store.Class{store.ClassOpen, store.ClassDone} {
		for i := range 8 {
			who := key(fmt.Sprint(class, i), 0)
			who.Service = []string{"orders", "refunds"}[i%2]
			who.Principal = []string{"alice", "bob"}[i/2%2]
			if token := b.claim(who, store.Granted); class == store.ClassDone {
				b.complete(who, token, []byte("reply"))
			}
			b.clock.pass(time.Second)
		}
		middle := b.now().Add(-4 * time.Second)
		for want, q := range map[int]store.ListRequest{
			8: {}, 4: {Service: "refunds"}, 2: {Service: "refunds", Principal: "bob"}, 1: {Service: "refunds", Principal: "bob", Before: middle},
		} {
			q.Class, q.Limit = class, 100
			page := b.list(q)
			if len(page.Records) != want {
				t.Errorf("%v %+v: %d records, want %d", class, q, len(page.Records), want)
			}
			for _, r := range page.Records {
				if q.Service != "" && r.Service != q.Service || q.Principal != "" && r.Principal != q.Principal || q.Before != 0 && r.FirstSeen >= q.Before {
					t.Errorf("%+v lists %+v", q, r.Identity)
				}
			}
		}
	}
}

func TestForeignCursorIsRefused(t *testing.T) {
	b := open(t, Config{})
	b.claim(key("1", 0), store.Granted)
	b.claim(key("2", 0), store.Granted)
	next := b.list(store.ListRequest{Class: store.ClassOpen, Limit: 1}).Next
	for _, q := range []store.ListRequest{
		{Class: store.ClassOpen, Limit: 1, Cursor: "no cursor"},
		{Class: store.ClassOpen, Limit: 1, Cursor: next[1:]},
		{Class: store.ClassDone, Limit: 1, Cursor: next},
	} {
		if _, err := b.List(context.Background(), q); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("cursor %q in %v: %v, want ErrInvalid", q.Cursor, q.Class, err)
		}
	}
	for _, cursor := range []string{"x", "-1"} {
		if _, err := b.Trail(context.Background(), store.TrailRequest{Limit: 1, Cursor: cursor}); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("trail cursor %q: %v, want ErrInvalid", cursor, err)
		}
	}
}

func TestTrailKeepsTheNewest(t *testing.T) {
	b := open(t, Config{TrailSize: 10})
	cancel := func(i int) {
		q := store.DecideRequest{
			Identity: key(fmt.Sprint(i%5), 0), Token: b.token(), Decision: store.Cancel, Actor: fmt.Sprint(i), Reason: "test", Window: window, Guard: guard,
		}
		if a, err := b.Decide(context.Background(), q); err != nil || a.Verdict != store.Applied {
			t.Fatalf("cancel %d: %v, %v", i, a.Verdict, err)
		}
		b.clock.pass(window + guard)
		b.purge(1)
	}
	var got []string
	read := func(q store.TrailRequest) string {
		page, err := b.Trail(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			got = append(got, e.Actor)
		}
		return page.Next
	}
	for i := range 25 {
		cancel(i)
	}
	next := read(store.TrailRequest{Limit: 4}) // 15 to 18
	cancel(25)                                 // 15 gives way
	for next != "" {
		next = read(store.TrailRequest{Limit: 4, Cursor: next})
	}
	if want := "[15 16 17 18 19 20 21 22 23 24 25]"; fmt.Sprint(got) != want {
		t.Errorf("trail: %v, want %v", got, want)
	}
	got = nil
	next = read(store.TrailRequest{ID: key("1", 0).ID, Limit: 1})
	for next != "" {
		next = read(store.TrailRequest{ID: key("1", 0).ID, Limit: 1, Cursor: next})
	}
	if want := "[16 21]"; fmt.Sprint(got) != want {
		t.Errorf("trail of one record: %v, want %v", got, want)
	}
	if len(b.trail.ring) != 10 {
		t.Errorf("the ring holds %d entries, want 10", len(b.trail.ring))
	}
}
