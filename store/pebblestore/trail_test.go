package pebblestore

import (
	"fmt"
	"testing"

	"github.com/onceward/onceward/store"
)

// A reader of the trail keeps no decision waiting, and sees what was decided before it came and nothing later.
func TestTrailReadersHoldNobodyUp(t *testing.T) {
	var s *Store
	reading := false
	decide := func(n uint64) {
		t.Helper()
		q := store.DecideRequest{
			Identity: identity(fmt.Sprint(n), 0), Token: tokenOf(n), Decision: store.Cancel, Actor: "ann", Reason: "asked for", Window: testWindow, Guard: testGuard,
		}
		if a, err := s.Decide(t.Context(), q); err != nil || a.Verdict != store.Applied {
			t.Errorf("decision %d: %v, %v", n, a.Verdict, err)
		}
	}
	s = begin(t, Config{reach: func(point string) {
		if !reading || point != "trail" {
			return
		}
		reading = false
		if !s.trail.TryLock() {
			t.Error("while somebody reads the trail, no decision gets on")
			return
		}
		s.trail.Unlock()
		decide(3)
	}})
	defer s.Close()
	decide(1)
	decide(2)
	reading = true
	page, err := s.Trail(t.Context(), store.TrailRequest{Limit: 10})
	if err != nil || len(page.Entries) != 2 || page.Next != "" {
		t.Errorf("%d entries, next %q, %v; want the two of before", len(page.Entries), page.Next, err)
	}
	if page, err = s.Trail(t.Context(), store.TrailRequest{Limit: 10}); err != nil || len(page.Entries) != 3 {
		t.Errorf("%d entries, %v; want 3", len(page.Entries), err)
	}
}
