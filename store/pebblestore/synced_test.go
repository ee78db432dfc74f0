package pebblestore

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// Each kind of write is on the disk when it is answered: the power is lost right then, with all that was not synced. TestPowerLoss does it at random.
func TestWritesAreSyncedBeforeTheyAreAnswered(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	stamp := store.TimeOf(at)
	who := identity("who", stamp)
	finished := func(t *testing.T, s *Store) { finish(t, s, who, 1) }
	early := func(t *testing.T, s *Store) { // it goes to the attic
		if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
			t.Fatal(err)
		}
		q := completeOf(who, tokenOf(1), "early")
		q.Window = 0
		if _, err := s.Advance(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	purge := func(t *testing.T, s *Store) {
		clockOf(s).move(testWindow + testGuard + 2*testBucket)
		if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 10}); err != nil || res.Removed != 1 {
			t.Fatal(res, err)
		}
	}
	for name, c := range map[string]struct {
		before, last func(*testing.T, *Store)
		at           string // the point at which the power is lost; none: when last is back
		want         store.Verdict
		watermark    store.Time
	}{
		"claim": {last: func(t *testing.T, s *Store) {
			if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
				t.Fatal(err)
			}
		}, want: store.InFlight},
		"completion": {last: finished, want: store.Replay},
		"seal": {before: finished, last: func(t *testing.T, s *Store) {
			if _, err := s.Seal(t.Context(), "orders", stamp+5); err != nil {
				t.Fatal(err)
			}
		}, want: store.Replay, watermark: stamp + 5},
		"bucket": {before: finished, last: purge, at: "removed", want: store.Expired, watermark: stamp},
		"attic":  {before: early, last: purge, at: "left the attic", want: store.Expired, watermark: stamp},
	} {
		t.Run(name, func(t *testing.T) {
			var s *Store
			var left *vfs.MemFS
			lose := func() { left = s.config.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}) }
			s = begin(t, Config{Bucket: testBucket, reach: func(point string) {
				if point == c.at {
					lose()
				}
			}})
			if c.before != nil {
				c.before(t, s)
			}
			c.last(t, s)
			if c.at == "" {
				lose()
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			after := again(t, s, left)
			defer after.Close()
			sound(t, after)
			if a, err := after.Get(t.Context(), who); err != nil || a.Verdict != c.want || a.Watermark != c.watermark {
				t.Errorf("after the loss: %v, watermark %d, %v; want %v, %d", a.Verdict, a.Watermark, err, c.want, c.watermark)
			}
		})
	}
}
