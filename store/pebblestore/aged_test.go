package pebblestore

import (
	"fmt"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// A guard that begins or ends to take the time in a UUIDv7 for its stamp finds the records that were made before: in their buckets after a restart, and in the attic.
func TestUUIDv7IsFoundUnderEitherSetting(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint("switched on ", on), func(t *testing.T) {
			s := begin(t, Config{Bucket: testBucket})
			defer func() { _ = s.Close() }()
			at := clockOf(s).now()
			done, started := uuidv7(t, at, "done", !on), uuidv7(t, at, "started", !on)
			finish(t, s, done, 1)
			if _, err := s.Claim(t.Context(), claimOf(started, tokenOf(2))); err != nil {
				t.Fatal(err)
			}
			clockOf(s).move(6 * time.Second) // the lease lapses
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = again(t, s, s.config.fs)
			done.Stamp, started.Stamp = stampIf(on, at), stampIf(on, at)
			found(t, s, done, store.Replay)
			found(t, s, started, store.Unknown)
			clockOf(s).move(time.Minute)
			if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 100}); err != nil || res.Removed != 1 {
				t.Fatal(res, err)
			}
			found(t, s, started, store.Unknown) // in the attic
			if a, err := s.Advance(t.Context(), completeOf(started, tokenOf(2), "late")); err != nil || a.Verdict != store.Applied {
				t.Errorf("its owner completes: %v, %v", a.Verdict, err)
			}
			sound(t, s)
		})
	}
}

// found fails unless a new claim and a look both find the record.
func found(t *testing.T, s *Store, who store.Identity, want store.Verdict) {
	t.Helper()
	if a, err := s.Claim(t.Context(), claimOf(who, tokenOf(9))); err != nil || a.Verdict != want {
		t.Errorf("a second claim: %v, %v; want %v", a.Verdict, err, want)
	}
	if a, err := s.Get(t.Context(), who); err != nil || a.Verdict != want {
		t.Errorf("Get: %v, %v; want %v", a.Verdict, err, want)
	}
}

// Looking in both places is for those keys that may be in both: another stamped key, however new, has one bucket.
func TestOtherStampedKeysHaveOneBucket(t *testing.T) {
	s := begin(t, Config{Bucket: testBucket})
	defer s.Close()
	at := clockOf(s).now()
	filled(t, s, 1)
	for who, want := range map[store.Identity]kind{
		identity("another", store.TimeOf(at)): stamped,
		uuidv7(t, at, "aged", true):           fresh,
		uuidv7(t, at, "unaged", false):        stamped,
		identity("unstamped", 0):              fresh,
	} {
		var h held
		if _, err := s.open(t.Context(), &h, &who, store.Token{}, false); err != nil {
			t.Fatal(err)
		}
		if last := kind(h.key[0]); last != want {
			t.Errorf("%s: the last look was at %c; want %c", who.Key, last, want)
		}
		h.close()
	}
}

func stampIf(aged bool, at time.Time) store.Time {
	if aged {
		return store.TimeOf(at)
	}
	return 0
}

// uuidv7 is an operation whose key is a UUIDv7 of that time.
func uuidv7(t *testing.T, at time.Time, name string, aged bool) store.Identity {
	t.Helper()
	key, err := onceward.UUIDv7{Clock: func() time.Time { return at }}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	who := identity(name, stampIf(aged, at))
	who.Key = key.Text()
	return who
}
