package pebblestore

import (
	"errors"
	"testing"

	"github.com/onceward/onceward/store"
)

// FuzzCursors asks for pages behind any place: a stranger's cursor is refused or names a place, and the listing goes on from there and ends.
func FuzzCursors(f *testing.F) {
	place := indexKey(nil, tagStarted, 5, 0, store.ID{1})[1:]
	for _, c := range []string{"", "AQ", "no cursor", cursor(store.ClassOpen, place), cursor(store.ClassUnknown, place), cursor(store.ClassOpen, make([]byte, indexSize-1)), "18446744073709551616", "1", "-1"} {
		f.Add(c, uint8(store.ClassOpen), 1)
		f.Add(c, uint8(store.ClassUnknown), store.MaxPage)
	}
	s := begin(f, Config{Bucket: testBucket})
	f.Cleanup(func() { _ = s.Close() })
	const records = 4
	for i := range records {
		q := claimOf(identity(string(rune('a'+i)), 0), tokenOf(uint64(i)))
		q.Start = i%2 == 0
		if _, err := s.Claim(f.Context(), q); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, c string, class uint8, limit int) {
		q := store.ListRequest{Class: store.Class(class), Cursor: c, Limit: limit}
		for seen := 0; ; {
			page, err := s.List(t.Context(), q)
			if err != nil {
				if !errors.Is(err, store.ErrInvalid) && !errors.Is(err, store.ErrUnsupported) || seen > 0 {
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
		if _, err := s.Trail(t.Context(), store.TrailRequest{Cursor: c, Limit: limit}); err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Fatalf("trail behind %q: %v", c, err)
		}
	})
}
