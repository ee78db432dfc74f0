package pebblestore

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// Store is a [store.Store] in a directory. It is safe for concurrent use; make one with [Open].
type Store struct {
	config  Config
	dir     string
	marker  marker
	db      *pebble.DB
	lock    *pebble.Lock
	width   store.Time // of the buckets of stamps
	sync    *pebble.WriteOptions
	clock   clock
	seed    maphash.Seed
	stripes [stripeCount]stripe

	services services
	room     room
	sieves   sieves
	disk     *disk
	backlog  backlog
	logs     *logFS
	lazy     *lazyLog // with ProcessCrash
	marks    atomic.Int64
	waiters  waiters
	trail    sync.Mutex
	entries  uint64 // of the trail; under trail
	upkeep   turns  // one Purge at a time, and no listing meanwhile

	// Lock order: life, upkeep, a service's gate, a stripe, then trail or a service's grow or services.mu.
	life    sync.RWMutex // read: every call; write: Close
	closed  bool
	ending  sync.Once
	closing chan struct{} // closed as soon as Close begins
	failure atomic.Pointer[error]
	failed  chan struct{} // closed with the failure
}

var _ store.Store = (*Store)(nil)

// Traits says what this store promises as configured.
func (s *Store) Traits() store.Traits { return s.config.traits() }

// enter begins a call, which ends with life.RUnlock.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closing: // to wait for the calls that Close waits for would be to no purpose, and beyond the deadline
		return store.ErrClosed
	default:
	}
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return store.ErrClosed
	}
	if cause := s.Err(); cause != nil {
		s.life.RUnlock()
		return cause
	}
	return nil
}

// Close lets the calls that are under way end, wakes all waiters, and closes the directory.
func (s *Store) Close() error {
	s.ending.Do(func() { close(s.closing) })
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	known := s.Err()
	if known == nil || s.logs.failed.Load() { // else Pebble has given up, perhaps with its locks held: it keeps the directory until the process ends
		err = failed("close", s.db.Close())
		cause := s.Err()
		if err == nil && known == nil && cause != nil { // of the log, which Pebble does not hear of
			err = cause
		}
		if err == nil && cause == nil && s.marker.unsynced { // closing has synced the log
			s.marker.unsynced = false
			err = failed("close", s.marker.write(s.config.fs, s.dir))
		}
	}
	s.logs.close()
	if unlocked := s.lock.Close(); err == nil {
		err = failed("close", unlocked)
	}
	return err
}
