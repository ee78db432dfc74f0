package memstore

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/onceward/onceward/store"
)

// FuzzCursors asks for pages behind any place: a stranger's cursor is refused or names a place, and the listing goes on from there and ends.
func FuzzCursors(f *testing.F) {
	for _, c := range []string{
		"", "AQ", "no cursor", cursor(store.ClassOpen, place{at: 1}), cursor(store.ClassOpen, place{at: 1 << 62, id: store.ID{31: 0xFF}}), cursor(store.ClassUnknown, place{at: -1}), cursor(store.ClassDone, place{}),
		cursor(store.ClassDone, place{at: 5}) + "\n", "AgAAAAAAAAAA", "0", "3", "-1", "18446744073709551615", "18446744073709551616", "+1",
	} {
		for class := store.ClassUnknown; class <= store.ClassDone; class++ {
			f.Add(c, uint8(class), 1)
			f.Add(c, uint8(class), store.MaxPage)
		}
	}
	s := New(Config{})
	f.Cleanup(func() { _ = s.Close() })
	const records = 5
	for i := range records {
		q := store.ClaimRequest{Identity: store.Identity{ID: store.ID{1: byte(i + 1)}, Service: "s", Principal: "p", Key: "k"}, Token: store.Token{1}, Lease: 1 << 40, Start: i%2 == 0}
		if _, err := s.Claim(context.Background(), q); err != nil {
			f.Fatal(err)
		}
		if i < 2 {
			_, err := s.Decide(context.Background(), store.DecideRequest{Identity: store.Identity{ID: store.ID{2: byte(i + 1)}, Service: "s", Principal: "p", Key: "c"}, Token: store.Token{2}, Decision: store.Cancel, Actor: "a"})
			if err != nil {
				f.Fatal(err)
			}
		}
	}
	f.Fuzz(func(t *testing.T, c string, class uint8, limit int) {
		q := store.ListRequest{Class: store.Class(class), Cursor: c, Limit: limit}
		for seen := 0; ; {
			page, err := s.List(context.Background(), q)
			if err != nil {
				if !errors.Is(err, store.ErrInvalid) || seen > 0 {
					t.Fatalf("%+v after %d records: %v", q, seen, err)
				}
				break
			}
			if seen += len(page.Records); seen > records || len(page.Records) > limit {
				t.Fatalf("%+v: %d records of %d", q, seen, records)
			}
			if q.Cursor = page.Next; page.Next == "" {
				break
			}
		}
		trail, err := s.Trail(context.Background(), store.TrailRequest{Cursor: c, Limit: limit})
		if _, number := strconv.ParseUint(c, 10, 64); (err == nil) != (limit >= 1 && limit <= store.MaxPage && (c == "" || number == nil)) || len(trail.Entries) > 2 {
			t.Fatalf("trail behind %q: %d entries, %v", c, len(trail.Entries), err)
		}
	})
}
