package pebblestore

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// commit writes what fill puts into a batch, whole or not at all. With s.sync it returns once that is on the disk; callers who come together share an fsync.
//
// An error of the log leaves open what of it is on the disk. Pebble cannot go on after one, and neither does the store: every later call fails.
func (s *Store) commit(fill func(*pebble.Batch) error, o *pebble.WriteOptions) (err error) {
	if cause := s.Err(); cause != nil {
		return cause
	}
	b := s.db.NewBatch()
	if err := fill(b); err != nil {
		_ = b.Close()
		return failed("write", err)
	}
	if b.Empty() {
		return b.Close()
	}
	defer s.recoverFatal(&err)
	s.disk.wrote(b.Len())
	if err := b.Commit(o); err != nil {
		return failed("write", err)
	}
	if cause := s.Err(); cause != nil { // perhaps of the log, which Pebble does not hear of
		return cause
	}
	return b.Close()
}

// recoverFatal turns what Pebble calls fatal into the store's failure. It is deferred around what a caller waits for.
func (s *Store) recoverFatal(err *error) {
	p := recover()
	if p == nil {
		return
	}
	f, ok := p.(fatal)
	if !ok {
		panic(p)
	}
	s.fail(errors.New(string(f)))
	*err = *s.failure.Load()
}

// fail ends the store: every later call fails, and so does a commit that is under way. The first cause counts.
func (s *Store) fail(cause error) {
	err := fmt.Errorf("%w: %w (look at the disk, then start the process again: what was acknowledged is there)", ErrFailed, cause)
	if s.failure.CompareAndSwap(nil, &err) {
		close(s.failed)
		s.backlog.give()
	}
}

// Failed returns a channel that is closed when the store fails: every call has [ErrFailed] from then on, until the store is closed and opened again, most simply in a new process.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err returns why the store has failed; nil: it has not.
func (s *Store) Err() error {
	if cause := s.failure.Load(); cause != nil {
		return *cause
	}
	return nil
}

// fatal is what the logger panics with when Pebble wants the process to end.
type fatal string

// logger hands on what Pebble says. A failure of the commit that a caller waits for comes back to the caller, in [Store.commit]; one in the background,
// which cannot, ends the process by its panic: the store must not go on, and all that it has acknowledged is on the disk.
type logger struct{ logf func(string, ...any) }

// Infof implements [pebble.Logger]: news about files that nobody needs.
func (logger) Infof(string, ...any) {}

// Errorf implements [pebble.Logger].
func (l logger) Errorf(format string, args ...any) { l.logf("pebblestore: "+format, args...) }

// Fatalf implements [pebble.Logger].
func (l logger) Fatalf(format string, args ...any) {
	l.logf("pebblestore: "+format, args...)
	panic(fatal(fmt.Sprintf(format, args...)))
}
