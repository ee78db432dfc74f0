package pgstore

import (
	"sync/atomic"
	"time"
)

// promised is for how long at most this process remembers keys, with the skew: what its callers rely on, and what partitions must be kept for.
type promised struct{ longest atomic.Int64 }

// promise notes a window and a skew.
func (p *promised) promise(window, skew time.Duration) {
	for {
		longest := p.longest.Load()
		if int64(window+skew) <= longest || p.longest.CompareAndSwap(longest, int64(window+skew)) {
			return
		}
	}
}

// forHowLong is the longest promise; zero: none yet.
func (p *promised) forHowLong() time.Duration { return time.Duration(p.longest.Load()) }
