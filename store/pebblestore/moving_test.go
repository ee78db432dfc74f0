package pebblestore

import (
	"bytes"
	"context"
	"errors"
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

// A claimed record that starts while others move is moved once: it was found claimed, and is not found again as a started one.
func TestARecordThatStartsMeanwhileMovesOnce(t *testing.T) {
	var s *Store
	var late store.Identity
	started := false
	s = begin(t, Config{Bucket: testBucket, moves: 2, reach: func(point string) {
		if point != "moved" || started {
			return
		}
		started = true
		if a, err := s.Claim(t.Context(), claimOf(late, tokenOf(9))); err != nil || a.Verdict != store.TakenOver { // the client's late retry
			t.Errorf("taking over between two batches: %v, %v", a.Verdict, err)
		}
	}})
	defer s.Close()
	finish(t, s, identity("done", 0), 1)
	open := []store.Identity{identity("a", 0), identity("b", 0), identity("c", 0)}
	for n, who := range open {
		q := claimOf(who, tokenOf(uint64(n)))
		q.Start = false
		if _, err := s.Claim(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(who.ID[:], late.ID[:]) > 0 { // the last in the index, which has all with one lease
			late = who
		}
	}
	clockOf(s).move(time.Minute)
	if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 100}); err != nil || res.Removed != 1 || !started {
		t.Errorf("purge: %+v, %v, started %v", res, err, started)
	}
	svc := s.find("orders")
	if n, left := svc.attic.Load(), len(svc.live.Load().all()); n != 3 || left != 0 {
		t.Errorf("the attic counts %d records, %d buckets are left; want 3 and none", n, left)
	}
	sound(t, s)
}

// A purge whose time is up while it looks through the index moves what it has found, so that later ones get to the end, however long looking takes.
func TestOpenRecordsMoveThoughTimeIsUp(t *testing.T) {
	end := func() {}
	s := begin(t, Config{Bucket: testBucket, reach: func(point string) {
		if point == "looked through" {
			end()
		}
	}})
	defer s.Close()
	finish(t, s, identity("done", 0), 1)
	for n := range 3 {
		if _, err := s.Claim(t.Context(), claimOf(identity(fmt.Sprint(n), 0), tokenOf(1))); err != nil {
			t.Fatal(err)
		}
	}
	clockOf(s).move(time.Hour)
	var err error
	purges, removed := 0, 0
	for ; purges < 5 && removed == 0; purges++ {
		ctx, cancel := context.WithCancel(t.Context())
		end = cancel
		var res store.PurgeResult
		res, err = s.Purge(ctx, store.PurgeRequest{Limit: 10})
		if cancel(); purges == 0 && !errors.Is(err, context.Canceled) {
			t.Errorf("a purge whose time was up: %v", err)
		}
		removed += res.Removed
	}
	if purges != 2 || removed != 1 || err != nil || s.find("orders").attic.Load() != 3 {
		t.Errorf("%d purges removed %d, %d are in the attic, %v; want that the second one removes the bucket", purges, removed, s.find("orders").attic.Load(), err)
	}
	sound(t, s)
}
