package redisstore

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestManyUnknownsAreCountedOnce: with thousands of unknowns, as after an outage, counting those of a service reads each once, and a page of a listing reads not many more than it has.
func TestManyUnknownsAreCountedOnce(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	s := openAt(t, Config{movable: true}, server.Address())
	const n = 2400
	var all sync.WaitGroup
	for w := range 16 {
		all.Go(func() {
			for i := w; i < n; i += 16 {
				q := claimOf(identity(fmt.Sprint(i), 0), tokenOf(uint64(i)))
				q.Lease = time.Millisecond
				if _, err := s.Claim(t.Context(), q); err != nil {
					t.Errorf("claim: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	move(t, s, time.Second)
	reads := func(name string, most int, what func()) {
		t.Helper()
		talk(t, server, "CONFIG", "RESETSTAT")
		what()
		if got := count(t, server, "commandstats", "cmdstat_get", "calls="); got > most {
			t.Errorf("%s: %d records are read, of %d", name, got, n)
		}
	}
	reads("counting", n+100, func() {
		if st, err := s.Stats(t.Context(), "orders"); err != nil || st.Unknown != n || st.Started+st.Claimed+st.Done != 0 || st.OldestUnknown == 0 {
			t.Errorf("%+v, %v", st, err)
		}
	})
	reads("counting for another service", n+100, func() {
		if st, err := s.Stats(t.Context(), "refunds"); err != nil || st.Unknown != 0 {
			t.Errorf("%+v, %v", st, err)
		}
	})
	reads("listing a hundred", 600, func() {
		if p, err := s.List(t.Context(), store.ListRequest{Class: store.ClassUnknown, Limit: 100}); err != nil || len(p.Records) != 100 || p.Next == "" {
			t.Errorf("%d records, %v", len(p.Records), err)
		}
	})
	seen := map[store.ID]bool{}
	for q := (store.ListRequest{Class: store.ClassUnknown, Limit: 999}); ; {
		p, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Records {
			seen[r.ID] = true
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			break
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d are listed", len(seen), n)
	}
}

// TestOpeningDoesNotCount: however much a store holds, opening it looks only at what must be there.
func TestOpeningDoesNotCount(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	s := openAt(t, Config{}, server.Address())
	for n := range 40 {
		who := identity(fmt.Sprint(n), 0)
		if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
			t.Fatal(err)
		}
		q := completeOf(who, tokenOf(1), "paid")
		q.Window = time.Duration(n) * time.Hour // a list for each
		if _, err := s.Advance(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	talk(t, server, "CONFIG", "RESETSTAT")
	openAt(t, Config{}, server.Address())
	if n := count(t, server, "commandstats", "cmdstat_llen", "calls="); n > len(s.tags) {
		t.Errorf("%d lists are counted", n)
	}
}

// TestOnlyOneShardIsFull: what is spread badly is counted and listed as well, over several pages of one shard.
func TestOnlyOneShardIsFull(t *testing.T) {
	s := shared(t, Config{Shards: 1, movable: true})
	const n = 2100
	for i := range uint64(n) {
		q := claimOf(identity(fmt.Sprint(i), 0), tokenOf(i))
		q.Start = i%3 != 0
		if _, err := s.Claim(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := s.Stats(t.Context(), "orders"); err != nil || st.Claimed != n/3 || st.Started != n-n/3 {
		t.Errorf("%+v, %v", st, err)
	}
}
