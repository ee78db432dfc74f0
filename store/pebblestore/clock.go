package pebblestore

import (
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/store"
)

// clock never goes back: X4.
type clock struct {
	source func() time.Time
	last   atomic.Int64
}

// now is read under the lock of the record that it is for, so that the times in one record follow the order of its steps.
func (c *clock) now() store.Time {
	t := int64(store.TimeOf(c.source()))
	for {
		last := c.last.Load()
		if t <= last {
			return store.Time(last)
		}
		if c.last.CompareAndSwap(last, t) {
			return store.Time(t)
		}
	}
}
