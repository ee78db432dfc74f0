package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// backlog watches what Pebble holds in memory because it is not in tables yet. Pebble would let writers wait for that in its midst, with the locks that they hold
// and whatever their deadlines, for ever if tables cannot be written. So its own limits are out of reach, and callers stay outside: while tables are slow they wait
// with nothing locked; while they fail, new claims are refused before, so that what completes accepted ones has room.
type backlog struct {
	table   int64 // bytes of a memtable
	most    int64 // layers
	closing <-chan struct{}
	given   atomic.Bool // up: the store has failed

	stale   atomic.Bool                               // Pebble has to be asked again
	measure func(db *pebble.DB) (bytes, layers int64) // asks it
	asked   atomic.Int64                              // how often
	bytes   atomic.Int64
	layers  atomic.Int64          // of level 0, which each read may have to look through
	failing atomic.Pointer[error] // why the newest table could not be written; nil: it could
	fails   atomic.Int64          // in a row

	mergeFails atomic.Int64 // merges that failed, in a row

	mu    sync.Mutex
	heard int64         // the newest question that was answered
	turn  chan struct{} // closed when the next flush has ended, or Pebble was asked and there is room
	good  chan struct{} // closed when the next flush has succeeded
	ended error         // of the newest flush, between two events of Pebble's
}

// Limits, in memtables; the one that is being filled counts. They bound the log too, which has to fit beside the rest on a disk that is full.
const (
	refuseAt = 3 // new claims are refused, while tables cannot be written
	waitAt   = 4 // everybody waits
)

const maxLayers = 1000 // of level 0: merges do not keep up, or fail

// errBacklog says that the caller has to wait, with nothing locked.
var errBacklog = errors.New("pebblestore: tables are being written")

// attach makes Pebble tell the backlog what happens, and leave the waiting to it.
func (b *backlog) attach(o *pebble.Options, closing <-chan struct{}) {
	b.table, b.closing = int64(o.MemTableSize), closing
	b.turn, b.good = make(chan struct{}), make(chan struct{})
	b.stale.Store(true)
	b.measure = measure
	o.MemTableStopWritesThreshold, o.L0StopWritesThreshold = 1<<10, 1<<20
	o.FS = patientFS{o.FS, b}
	tell := o.EventListener.BackgroundError
	o.EventListener.BackgroundError = func(err error) { b.failed(err); tell(err) }
	o.EventListener.FlushEnd = b.flushed
	o.EventListener.CompactionEnd = b.merged
	o.EventListener.WALCreated = func(pebble.WALCreateInfo) { b.stale.Store(true) }
}

// flushed hears that a flush has ended. If it has failed, [backlog.failed] hears of the same error next; one that had nothing to write is no failure, and nobody hears of it.
func (b *backlog) flushed(i pebble.FlushInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended = i.Err; errors.Is(i.Err, pebble.ErrCancelledCompaction) { // by a cut: it begins again at once
		b.ended = nil
	}
	if i.Err == nil {
		b.failing.Store(nil)
		b.fails.Store(0)
		close(b.good)
		b.good = make(chan struct{})
	}
	b.next()
}

// merged hears that a merge has ended.
func (b *backlog) merged(i pebble.CompactionInfo) {
	b.stale.Store(true)
	switch {
	case i.Err == nil:
		b.mergeFails.Store(0)
	case !errors.Is(i.Err, pebble.ErrCancelledCompaction): // by a cut: it is due again at once
		b.mergeFails.Add(1)
	}
}

func (b *backlog) failed(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended == nil || !errors.Is(err, b.ended) { // of a merge
		return
	}
	b.failing.Store(&err)
	b.fails.Add(1)
	b.next()
}

// well is closed when a flush succeeds.
func (b *backlog) well() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.good
}

// give gives up: the store has failed, and no flush will end any more. Whoever waits asks again, and hears of the failure.
func (b *backlog) give() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.given.Store(true)
	if b.turn != nil {
		b.next()
	}
}

// next wakes whoever waits, to ask again. The caller has mu.
func (b *backlog) next() {
	b.stale.Store(true)
	b.wake()
}

// wake wakes whoever waits. The caller has mu.
func (b *backlog) wake() {
	close(b.turn)
	b.turn = make(chan struct{})
}

// ask asks Pebble if something has changed. Pebble does not answer while it syncs its manifest, so no lock of a record or a service may be held.
func (b *backlog) ask(db *pebble.DB) {
	if b.stale.CompareAndSwap(true, false) {
		n := b.asked.Add(1)
		bytes, layers := b.measure(db)
		b.answer(n, bytes, layers)
	}
}

// admit lets a write pass by what Pebble has answered last, or says why not: errBacklog, or an error for the caller. Nothing was written then.
func (b *backlog) admit(claim bool) error {
	cause := b.failing.Load()
	switch bytes := b.bytes.Load(); {
	case cause != nil && claim && bytes >= refuseAt*b.table:
		return fmt.Errorf("pebblestore: tables cannot be written: %w (look at the disk; new claims are taken again once they can): %w", *cause, store.ErrFull)
	case bytes >= waitAt*b.table:
		return errBacklog
	case claim && b.layers.Load() >= b.most:
		return fmt.Errorf("pebblestore: tables are not merged (look at the disk; Logf has why): %w", store.ErrFull)
	}
	return nil
}

func measure(db *pebble.DB) (bytes, layers int64) {
	m := db.Metrics()
	return int64(m.MemTable.Size), int64(m.Levels[0].Sublevels)
}

// answer takes in what Pebble has said to a question. That may have taken long, for Pebble does not answer while it writes its manifest: a later question may have been
// answered before, and then this is old; and whoever has come meanwhile waits because of an answer that was old already.
func (b *backlog) answer(question, bytes, layers int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if question < b.heard {
		return
	}
	b.heard = question
	b.bytes.Store(bytes)
	b.layers.Store(layers)
	if bytes < waitAt*b.table {
		b.wake()
	}
}

// wait returns nil when it is time to ask again.
func (b *backlog) wait(ctx context.Context) error {
	b.mu.Lock()
	turn := b.turn
	b.mu.Unlock()
	if !b.given.Load() && !b.stale.Load() && b.bytes.Load() >= waitAt*b.table {
		select {
		case <-turn:
		case <-b.closing:
			return store.ErrClosed
		case <-ctx.Done():
		}
	}
	cause := b.failing.Load()
	if err := ctx.Err(); err != nil && cause != nil {
		return fmt.Errorf("pebblestore: tables cannot be written, and memory is full: %w (look at the disk, then try again): %w", *cause, err)
	}
	return ctx.Err()
}

// passAnyway is pass for what has to come nearer to its end with each call: when its time is up it goes on where it need not wait.
func (s *Store) passAnyway(ctx context.Context) error {
	err := s.pass(ctx)
	if err == nil || ctx.Err() == nil || s.logs.trying.Load() != nil {
		return err
	}
	s.backlog.ask(s.db)
	if s.backlog.admit(false) != nil {
		return err
	}
	return nil
}

// pass waits until a write that is no claim may go on, or ctx ends. The caller has no lock of a record or a service.
func (s *Store) pass(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.logs.wait(ctx); err != nil {
			return err
		}
		if cause := s.Err(); cause != nil {
			return cause
		}
		s.backlog.ask(s.db)
		err := s.backlog.admit(false)
		if err == nil || !errors.Is(err, errBacklog) {
			return err
		}
		s.config.reach("backlog")
		if err := s.backlog.wait(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}
