package pebblestore

import (
	"fmt"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// Many open records leave many buckets in one pass, some at a time, and steps go on in between: those of records that have moved, and those of others that will.
func TestOpenRecordsMoveInBatches(t *testing.T) {
	const buckets, each, moves = 20, 25, 100
	var s *Store
	var passes int
	var last int64
	open := func(n int) store.Identity { return identity(fmt.Sprint("open ", n), 0) }
	s = begin(t, Config{Bucket: testBucket, moves: moves, reach: func(point string) {
		if point != "moved" {
			return
		}
		svc := s.find("orders")
		if !svc.gate.TryLock() {
			t.Fatal("between two batches no step gets on")
		}
		svc.gate.Unlock()
		if n := svc.attic.Load(); n-last > moves {
			t.Errorf("%d records moved while the gate was closed; want at most %d", n-last, moves)
		}
		finish(t, s, identity(fmt.Sprint("new ", passes), 0), 1)
		who, key := open(passes), "late"
		if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(1), key)); err != nil || a.Verdict != store.Applied {
			t.Errorf("completing between two batches: %v, %v", a.Verdict, err)
		}
		sound(t, s)
		passes, last = passes+1, svc.attic.Load()
	}})
	defer s.Close()
	for n := range buckets * each {
		if n%each == 0 {
			clockOf(s).move(2 * testBucket)
		}
		if a, err := s.Claim(t.Context(), claimOf(open(n), tokenOf(1))); err != nil || a.Verdict != store.Granted {
			t.Fatal(a.Verdict, err)
		}
	}
	if n := len(s.find("orders").live.Load().all()); n != buckets {
		t.Fatalf("%d buckets; want %d", n, buckets)
	}
	clockOf(s).move(time.Hour)
	if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1000}); err != nil || res.Removed != 0 || res.More {
		t.Fatal(res, err)
	}
	if want := buckets * each / moves; passes < want || passes > want+1 {
		t.Errorf("%d batches; want one pass of %d", passes, want)
	}
	for n := range buckets * each {
		a, err := s.Get(t.Context(), open(n))
		if want := map[bool]store.Verdict{true: store.Replay, false: store.Unknown}[n < passes]; err != nil || a.Verdict != want {
			t.Errorf("open record %d: %v, %v; want %v", n, a.Verdict, err, want)
		}
	}
	sound(t, s)
}
