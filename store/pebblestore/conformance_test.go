package pebblestore

import (
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

// Every case of the suite runs on a file system that forgets what was not synced when the store crashes.
func TestConformance(t *testing.T) {
	storetest.Run(t, harness(PowerLoss))
}

func harness(d Durability) storetest.Harness {
	config := Config{Durability: d, Bucket: testBucket}
	return storetest.Harness{
		New:      func(t testing.TB) store.Store { return begin(t, config) },
		Traits:   config.traits(),
		Advance:  func(_ testing.TB, s store.Store, d time.Duration) { clockOf(s).move(d) },
		StepBack: func(_ testing.TB, s store.Store, d time.Duration) { clockOf(s).move(-d) },
		Reopen: func(t testing.TB, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return again(t, s.(*Store), s.(*Store).config.fs)
		},
		Crash: func(t testing.TB, s store.Store) store.Store {
			left := s.(*Store).config.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return again(t, s.(*Store), left)
		},
		Full: func(t testing.TB) store.Store {
			small := config
			small.MaxRecords = 100
			return begin(t, small)
		},
		PurgeLag:   testBucket * 5 / 4,
		PurgeWhole: true,
	}
}

const testBucket = 4 * time.Second // the suite's short leases and windows are 10 s

// begin opens a new store in memory whose clock the test moves.
func begin(t testing.TB, c Config) *Store {
	t.Helper()
	clock := &settable{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	c.Clock, c.Logf, c.fs, c.tables = clock.now, t.Logf, vfs.NewCrashableMem(), 1<<20
	s, err := Open("store", c)
	if err != nil {
		t.Fatal(err)
	}
	clocks.Store(s, clock)
	return s
}

// again opens the store that is on the file system.
func again(t testing.TB, old *Store, f vfs.FS) *Store {
	t.Helper()
	c := old.config
	c.fs = f
	s, err := Open("store", c)
	if err != nil {
		t.Fatal(err)
	}
	clocks.Store(s, clockOf(old))
	return s
}

var clocks sync.Map // *Store to *settable

func clockOf(s store.Store) *settable {
	clock, _ := clocks.Load(s)
	return clock.(*settable)
}

// settable is a clock that a test moves both ways.
type settable struct {
	mu sync.Mutex
	t  time.Time
}

func (c *settable) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *settable) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
