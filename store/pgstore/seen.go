package pgstore

import (
	"sync/atomic"

	"github.com/onceward/onceward/store"
)

// seen is the newest time of the server that this process has seen.
type seen struct{ last atomic.Int64 }

// see notes a time of the server. Each call hands the newest one to the server, which answers nothing older: X4, for all that this process
// is told, even if the server's clock is set back. Other processes may then be told less for a while. That is harmless: a lease lapses
// later, and what is sealed or done does not depend on a clock.
func (s *seen) see(now store.Time) {
	for {
		last := s.last.Load()
		if int64(now) <= last || s.last.CompareAndSwap(last, int64(now)) {
			return
		}
	}
}
