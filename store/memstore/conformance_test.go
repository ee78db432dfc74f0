package memstore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
	"github.com/onceward/onceward/store/storetest"
)

func TestConformance(t *testing.T) {
	var clocks sync.Map // *memstore.Store to *settable
	fresh := func(t testing.TB, c memstore.Config) store.Store {
		clock := &settable{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
		c.Clock = clock.now
		s := memstore.New(c)
		clocks.Store(s, clock)
		return s
	}
	move := func(s store.Store, d time.Duration) {
		clock, _ := clocks.Load(s)
		clock.(*settable).move(d)
	}
	storetest.Run(t, storetest.Harness{
		New:      func(t testing.TB) store.Store { return fresh(t, memstore.Config{}) },
		Full:     func(t testing.TB) store.Store { return fresh(t, memstore.Config{MaxRecords: 100}) },
		Advance:  func(_ testing.TB, s store.Store, d time.Duration) { move(s, d) },
		StepBack: func(_ testing.TB, s store.Store, d time.Duration) { move(s, -d) },
		Traits:   memstore.New(memstore.Config{}).Traits(),
	})
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
