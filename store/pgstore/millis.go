package pgstore

import (
	"math"
	"time"

	"github.com/onceward/onceward/store"
)

const endOfTime = store.Time(math.MaxInt64)

// millis is d as [store.Time.Add] adds it: rounded up.
func millis(d time.Duration) int64 { return int64(store.Time(0).Add(d)) }

// millisDown is d as Add takes it away: Add(-d).
func millisDown(d time.Duration) int64 { return -int64(store.Time(0).Add(-d)) }
