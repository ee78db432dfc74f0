package pebblestore

import (
	"time"

	"github.com/onceward/onceward/store"
)

// clock never goes back: X4.
type clock struct {
	source func() time.Time
	last   store.Latest
}

// now is read under the lock of the record that it is for, so that the times in one record follow the order of its steps.
func (c *clock) now() store.Time { return c.last.See(store.TimeOf(c.source())) }
