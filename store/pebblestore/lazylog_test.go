package pebblestore

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// Also with the weaker setting a loss of power leaves a bucket as it was or removed: never without its records while the watermark and what was open are from before.
func TestProcessCrashCutsNothingBeforeItsRemoval(t *testing.T) {
	for _, beside := range []bool{true, false} { // an open record, whose move makes Pebble flush before it cuts
		var s *Store
		left := map[string]*vfs.MemFS{}
		s = begin(t, Config{Durability: ProcessCrash, Bucket: testBucket, reach: func(point string) {
			left[point] = s.config.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
		}})
		at := store.TimeOf(clockOf(s).now())
		done, open := identity("done", at), identity("open", at)
		finish(t, s, done, 1)
		if beside {
			if _, err := s.Claim(t.Context(), claimOf(open, tokenOf(2))); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
		clockOf(s).move(time.Minute)
		if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 10}); err != nil || res.Removed != 1 {
			t.Fatal(res, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for _, point := range []string{"re-home", "removed", "cut out", "excise"} {
			if left[point] == nil {
				t.Fatalf("%s was not reached", point)
			}
			after := again(t, s, left[point])
			sound(t, after)
			if a, err := after.Get(t.Context(), done); err != nil || a.Verdict != store.Replay && a.Verdict != store.Expired {
				t.Errorf("the power is lost at %q: the done record: %v, %v, watermark %d; want replay, or expired", point, a.Verdict, err, a.Watermark)
			}
			if a, err := after.Get(t.Context(), open); beside && (err != nil || a.Verdict != store.Unknown) {
				t.Errorf("the power is lost at %q: the open record: %v, %v; want unknown", point, a.Verdict, err)
			}
			if err := after.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Nor does it wait for tables, which perhaps cannot be written: with the weaker setting too, a purge comes back then, and cuts.
func TestProcessCrashCutsWithoutTables(t *testing.T) {
	f := &tableless{FS: vfs.NewCrashableMem()}
	var cut atomic.Bool
	s := beginTableless(t, Config{Durability: ProcessCrash, reach: func(point string) {
		if point == "excise" {
			cut.Store(true)
		}
	}}, f)
	finish(t, s, identity("old", 0), 1)
	clockOf(s).move(testWindow + testGuard + 2*testBucket)
	f.refuse.Store(true)
	ended := make(chan error, 1)
	go func() {
		_, err := s.Purge(context.Background(), store.PurgeRequest{Limit: 10})
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil || !cut.Load() {
			t.Errorf("a purge without tables: %v, cut out: %v", err, cut.Load())
		}
	case <-time.After(5 * time.Second):
		t.Fatal("a purge waits for tables that cannot be written")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
