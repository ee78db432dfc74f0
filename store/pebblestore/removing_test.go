package pebblestore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// filled is a store with n done records of stamped keys in a bucket, and n of others; the clock is at their begin.
func filled(t *testing.T, s *Store, n int) (all []store.Identity) {
	t.Helper()
	at := store.TimeOf(s.config.Clock())
	for i := range n {
		for _, stamp := range []store.Time{at, 0} {
			who := identity(fmt.Sprint(i, " ", stamp), stamp)
			finish(t, s, who, uint64(i))
			all = append(all, who)
		}
	}
	return all
}

func finish(t *testing.T, s *Store, who store.Identity, n uint64) {
	t.Helper()
	if a, err := s.Claim(t.Context(), claimOf(who, tokenOf(n))); err != nil || a.Verdict != store.Granted {
		t.Fatal(a.Verdict, err)
	}
	if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(n), replyOf(who.Key))); err != nil || a.Verdict != store.Applied {
		t.Fatal(a.Verdict, err)
	}
}

// A bucket leaves as a whole, whatever the limit, and its bytes leave the files.
func TestPurgeRemovesWholeBuckets(t *testing.T) {
	s := begin(t, Config{Bucket: testBucket})
	defer s.Close()
	all := filled(t, s, 200)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	spans := spansOf(s)
	if before := usage(t, s, spans); before < 10_000 {
		t.Fatalf("the records take %d bytes of the files; the test looks at the wrong place", before)
	}
	clockOf(s).move(testWindow + testGuard + 2*testBucket)
	res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1})
	if err != nil || res.Removed != len(all) || res.More {
		t.Fatalf("removed %d, more %v, %v; want %d", res.Removed, res.More, err, len(all))
	}
	if after := usage(t, s, spans); after > 0 {
		t.Errorf("after the purge the records still take %d bytes of the files", after)
	}
	if s.find("orders").attic.Load() != 0 || len(s.find("orders").live.Load().all()) != 0 {
		t.Error("buckets or the attic still have something")
	}
	sound(t, s)
}

// spansOf are where the records of the live buckets stand.
func spansOf(s *Store) (spans []pebble.KeyRange) {
	for _, svc := range *s.services.byNumber.Load() {
		for _, b := range svc.live.Load().all() {
			lower, upper := b.bounds(svc.number)
			spans = append(spans, pebble.KeyRange{Start: lower, End: upper})
		}
	}
	return spans
}

func usage(t *testing.T, s *Store, spans []pebble.KeyRange) (sum uint64) {
	t.Helper()
	for _, span := range spans {
		n, err := s.db.EstimateDiskUsage(span.Start, span.End)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// A limit is kept in the attic, and the watermark rises to what has left and no further.
func TestPurgeKeepsItsLimitInTheAttic(t *testing.T) {
	s := begin(t, Config{Bucket: testBucket})
	defer s.Close()
	at := store.TimeOf(clockOf(s).now())
	at -= at % store.Time(testBucket/time.Millisecond)
	for i := range store.Time(10) {
		who, token := identity(fmt.Sprint(i), at+i), tokenOf(uint64(i))
		if _, err := s.Claim(t.Context(), claimOf(who, token)); err != nil {
			t.Fatal(err)
		}
		done := completeOf(who, token, "early")
		done.Window = 0 // long over when its bucket is
		if _, err := s.Advance(t.Context(), done); err != nil {
			t.Fatal(err)
		}
		clockOf(s).move(time.Millisecond)
	}
	if n := s.find("orders").attic.Load(); n != 10 {
		t.Fatalf("%d records are in the attic; the test looks at the wrong place", n)
	}
	clockOf(s).move(2 * testGuard)
	for i := range store.Time(10) {
		res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1})
		if err != nil || res.Removed != 1 || res.More != (i < 9) {
			t.Fatalf("removed %d, more %v, %v", res.Removed, res.More, err)
		}
		st, err := s.Stats(t.Context(), "orders")
		if err != nil || st.Done != int64(9-i) || st.Watermark != at+i {
			t.Fatalf("%d done, watermark %d, %v; want %d and %d", st.Done, st.Watermark, err, 9-i, at+i)
		}
		sound(t, s)
	}
}

// What is open in a bucket that leaves is found afterwards, by its key and in listings, and its owner still completes it.
func TestOpenRecordsOutliveTheirBucket(t *testing.T) {
	s := begin(t, Config{Bucket: testBucket})
	defer s.Close()
	filled(t, s, 10)
	stamped, fresh := identity("open stamped", store.TimeOf(clockOf(s).now())), identity("open", 0)
	for _, who := range []store.Identity{stamped, fresh} {
		if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
			t.Fatal(err)
		}
	}
	clockOf(s).move(time.Hour)
	if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1000}); err != nil || res.Removed != 20 {
		t.Fatal(res, err)
	}
	page, err := s.List(t.Context(), store.ListRequest{Class: store.ClassUnknown, Limit: 10})
	if err != nil || len(page.Records) != 2 {
		t.Errorf("%d unknown records are listed, %v; want 2", len(page.Records), err)
	}
	for _, who := range []store.Identity{stamped, fresh} {
		if a, err := s.Get(t.Context(), who); err != nil || a.Verdict != store.Unknown {
			t.Errorf("%s: %v, %v; want unknown", who.Key, a.Verdict, err)
		}
		if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(1), "late")); err != nil || a.Verdict != store.Applied {
			t.Errorf("%s: %v, %v; want applied", who.Key, a.Verdict, err)
		}
	}
	sound(t, s)
	clockOf(s).move(time.Hour)
	if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1000}); err != nil || res.Removed != 2 {
		t.Error(res, err)
	}
	sound(t, s)
}

// A key of a bucket that was removed, but is not cut out yet, goes elsewhere: otherwise it would be cut out with it.
func TestRemovedBucketIsNeverFilledAgain(t *testing.T) {
	var s *Store
	var late store.Identity
	s = begin(t, Config{Bucket: testBucket, reach: func(point string) {
		if point != "cut out" || late.Key == "" {
			return
		}
		q := claimOf(late, tokenOf(7))
		q.Window = 24 * time.Hour // somebody has just raised it
		if a, err := s.Claim(t.Context(), q); err != nil || a.Verdict != store.Granted {
			t.Error(a.Verdict, err)
		}
	}})
	defer s.Close()
	at := store.TimeOf(clockOf(s).now())
	at -= at % store.Time(testBucket/time.Millisecond)
	finish(t, s, identity("old", at), 1)
	late = identity("late", at+1)
	clockOf(s).move(time.Minute)
	if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 10}); err != nil || res.Removed != 1 {
		t.Fatal(res, err)
	}
	if a, err := s.Get(t.Context(), late); err != nil || a.Verdict != store.Unknown && a.Verdict != store.InFlight {
		t.Errorf("a record that was claimed during the purge: %v, %v", a.Verdict, err)
	}
	sound(t, s)
}

// A step has its record alone and passes the gate until its write is durable, and a removal lets nobody pass.
func TestRemovalAndStepsExcludeEachOther(t *testing.T) {
	var s *Store
	seen := map[string]bool{}
	s = begin(t, Config{Bucket: testBucket, reach: func(point string) {
		gate := &s.find("orders").gate
		seen[point] = true
		switch point {
		case "claim", "after claim", "complete", "after complete":
			if gate.TryLock() {
				t.Errorf("%s: a removal may begin", point)
				gate.Unlock()
			}
			if locked(s) != 1 {
				t.Errorf("%s: another step of the record may begin", point)
			}
		case "moving", "re-home", "removed":
			if gate.TryRLock() {
				t.Errorf("%s: a step may begin", point)
				gate.RUnlock()
			}
		}
	}})
	defer s.Close()
	filled(t, s, 1)
	if _, err := s.Claim(t.Context(), claimOf(identity("open", 0), tokenOf(1))); err != nil {
		t.Fatal(err)
	}
	clockOf(s).move(time.Minute)
	if _, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 10}); err != nil {
		t.Fatal(err)
	}
	for _, point := range []string{"claim", "after claim", "complete", "after complete", "moving", "re-home", "removed", "cut out", "excise"} {
		if !seen[point] {
			t.Errorf("%s was not reached", point)
		}
	}
}

func replyOf(key string) string { return strings.Repeat(key+" ", 100) }

// locked counts the stripes that are locked.
func locked(s *Store) (n int) {
	for i := range s.stripes {
		if s.stripes[i].TryLock() {
			s.stripes[i].Unlock()
		} else {
			n++
		}
	}
	return n
}

// A bucket that lives on between two removed ones is not cut out with them.
func TestCutSparesTheLiving(t *testing.T) {
	s := begin(t, Config{Bucket: testBucket})
	defer s.Close()
	at := store.TimeOf(clockOf(s).now())
	at -= at % store.Time(testBucket/time.Millisecond)
	between := identity("between", at+store.Time(testBucket/time.Millisecond))
	for i := range store.Time(3) {
		who := identity(fmt.Sprint(i), at+i*store.Time(testBucket/time.Millisecond))
		clockOf(s).move(testBucket)
		if i != 1 {
			finish(t, s, who, uint64(i))
			continue
		}
		q, done := claimOf(between, tokenOf(5)), completeOf(between, tokenOf(5), replyOf("between"))
		q.Window, done.Window = time.Hour, time.Hour
		if _, err := s.Claim(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Advance(t.Context(), done); err != nil {
			t.Fatal(err)
		}
	}
	clockOf(s).move(time.Minute)
	if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 100}); err != nil || res.Removed != 2 {
		t.Fatal(res, err)
	}
	if a, err := s.Get(t.Context(), between); err != nil || a.Verdict != store.Replay {
		t.Errorf("what lives between: %v, %v", a.Verdict, err)
	}
	sound(t, s)
}

// A record that has moved to the attic is completed there, not where it was, also between the move and the removal of its bucket.
func TestStripesForgetWhatMoves(t *testing.T) {
	var s *Store
	open := identity("open", 0)
	s = begin(t, Config{Bucket: testBucket, reach: func(point string) {
		if point != "moved" {
			return
		}
		if a, err := s.Advance(t.Context(), completeOf(open, tokenOf(1), "late")); err != nil || a.Verdict != store.Applied {
			t.Error(a.Verdict, err)
		}
		sound(t, s)
	}})
	defer s.Close()
	finish(t, s, identity("done", 0), 2)
	if _, err := s.Claim(t.Context(), claimOf(open, tokenOf(1))); err != nil {
		t.Fatal(err)
	}
	clockOf(s).move(time.Minute)
	if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1}); err != nil || res.Removed != 1 {
		t.Fatal(res, err)
	}
	if a, err := s.Get(t.Context(), open); err != nil || string(a.Record.Reply) != "late" {
		t.Error(a.Verdict, err)
	}
	sound(t, s)
}

// A service whose records cannot be removed keeps no other from its purge, nor what comes after the services.
func TestPurgeGoesOnBehindWhatItCannotRemove(t *testing.T) {
	s := begin(t, Config{Bucket: testBucket})
	defer s.Close()
	finish(t, s, identity("a", 0), 1)
	other := identity("b", 0)
	other.Service = "parcels"
	finish(t, s, other, 2)
	s.find("orders").live.Load().fresh[0].open.Add(1) // as if the index had lost an entry
	clockOf(s).move(testWindow + testGuard + 2*testBucket)
	res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 10})
	if !errors.Is(err, ErrCorrupt) || res.Removed != 1 {
		t.Errorf("removed %d, %v; want one, and ErrCorrupt", res.Removed, err)
	}
	if n := len(spansOf(s)); n != 1 {
		t.Errorf("%d buckets are left; want that of the service with the damage", n)
	}
	if err := s.scan([]byte{tagRemoved}, func(key, _ []byte) error { return fmt.Errorf("%x is left to be cut out", key) }); err != nil {
		t.Error(err)
	}
	s.find("orders").live.Load().fresh[0].open.Add(-1)
}
