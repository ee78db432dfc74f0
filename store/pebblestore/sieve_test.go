package pebblestore

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"testing"

	"github.com/onceward/onceward/store"
)

// hashes are as random as those of ids.
func hashes(n int) []uint64 {
	seed := maphash.MakeSeed()
	all := make([]uint64, n)
	for i := range all {
		all[i] = maphash.Bytes(seed, binary.LittleEndian.AppendUint64(nil, uint64(i)))
	}
	return all
}

// What was added never lacks, while the sieve grows under many writers; of the rest nearly all does.
func TestSieveKeepsWhatItGot(t *testing.T) {
	const writers, each = 8, 40_000
	all := hashes(2 * writers * each)
	a := &sieves{free: 1 << 20}
	s := a.begin()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < writers*each; i += writers {
				s.add(all[i])
				if s.lacks(all[i]) {
					t.Errorf("%d was added, and lacks", i)
					return
				}
			}
		})
	}
	wg.Wait()
	passed := 0
	for i, hash := range all {
		lacks := s.lacks(hash)
		switch {
		case i < writers*each && lacks:
			t.Fatalf("%d was added, and lacks", i)
		case i >= writers*each && !lacks:
			passed++
		}
	}
	if share := float64(passed) / (writers * each); share > 0.02 {
		t.Errorf("%.1f %% of what was not added pass: one in a hundred should", 100*share)
	}
	words := 0
	for _, l := range *s.layers.Load() {
		words += len(l)
	}
	if words > writers*each || a.free != 1<<20-words {
		t.Errorf("%d words for %d ids, and %d of %d are left", words, writers*each, a.free, 1<<20)
	}
}

// The oldest sieves make room. What is dropped knows nothing, and least of all that something is not there.
func TestSievesShareTheirMemory(t *testing.T) {
	a := &sieves{free: 3 * firstLayer}
	first, second := a.begin(), a.begin()
	all := hashes(firstLayer / blockWords * blockIDs)
	first.add(all[0])
	if first.lacks(all[0]) || !first.lacks(all[1]) {
		t.Fatal("the first sieve does not work")
	}
	for _, hash := range all {
		second.add(hash) // fills its first layer
	}
	if !first.lacks(all[1]) || a.free != firstLayer {
		t.Fatalf("there was room for both, and %d words are left", a.free)
	}
	second.add(1)
	if first.lacks(all[0]) || first.lacks(all[1]) {
		t.Error("the oldest has made room, and still answers")
	}
	first.add(all[1])
	if first.lacks(all[1]) || first.lacks(all[2]) || second.lacks(all[3]) {
		t.Error("what has made room knows something again, or what it has made room for does not know what it had")
	}
	for range firstLayer / blockWords * blockIDs * 2 {
		second.add(1) // until it needs more than there is
	}
	if second.lacks(1) || second.lacks(all[3]) || second.lacks(2) || a.free != 3*firstLayer || len(a.all) != 0 {
		t.Errorf("a sieve that needs more than there is: %d words are free, %d sieves", a.free, len(a.all))
	}
}

// A new key costs no read of a bucket that this process has made. One that was found on the disk is read, and one that is gone leaves no sieve behind.
func TestNewKeysAreNotLookedFor(t *testing.T) {
	s := begin(t, Config{Bucket: testBucket})
	at := store.TimeOf(s.config.Clock())
	finish(t, s, identity("stamped", at), 1)
	finish(t, s, identity("other", 0), 2)
	asked := func(key string) (n int) {
		who := identity(key, at)
		for _, b := range s.find(who.Service).live.Load().all() {
			if !b.sieve.lacks(maphash.Bytes(s.seed, who.ID[:])) {
				n++
			}
		}
		return n
	}
	if asked("stamped") != 1 || asked("other") != 1 || asked("new") != 0 {
		t.Errorf("of the two buckets %d, %d and %d are read; want 1, 1 and 0", asked("stamped"), asked("other"), asked("new"))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = again(t, s, s.config.fs)
	defer s.Close()
	if asked("new") != 2 {
		t.Errorf("%d buckets are read that were on the disk; want both", asked("new"))
	}
	for _, who := range []store.Identity{identity("stamped", at), identity("other", 0)} {
		if a, err := s.Claim(t.Context(), claimOf(who, tokenOf(3))); err != nil || a.Verdict != store.Replay {
			t.Errorf("after opening: %v, %v", a.Verdict, err)
		}
	}
	clockOf(s).move(testWindow + testGuard + 2*testBucket)
	free := s.sieves.free
	finish(t, s, identity("later", 0), 4)
	clockOf(s).move(testWindow + testGuard + 2*testBucket)
	if _, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if len(s.sieves.all) != 0 || s.sieves.free != free {
		t.Errorf("%d sieves of removed buckets are left, with %d words", len(s.sieves.all), free-s.sieves.free)
	}
}
