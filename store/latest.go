package store

import "sync/atomic"

// Latest is the newest of the times that it has seen, for stores whose answers must not go back though their clock does: X4. The zero value is ready. It is
// safe for concurrent use.
type Latest struct{ newest atomic.Int64 }

// See takes in a time and returns the newest so far: t, or a later one.
func (l *Latest) See(t Time) Time {
	for {
		newest := l.newest.Load()
		if int64(t) <= newest {
			return Time(newest)
		}
		if l.newest.CompareAndSwap(newest, int64(t)) {
			return t
		}
	}
}

// Newest is the newest time that was seen, 0 before the first.
func (l *Latest) Newest() Time { return Time(l.newest.Load()) }
