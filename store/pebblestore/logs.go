package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// logFS stands between Pebble and the files of its log, whose errors Pebble v2.1.7 does not survive: it panics with a mutex unlocked that its caller unlocks, which
// ends the process whoever recovers, or with one locked, which everybody waits for then. So Pebble hears of none. The store fails instead, before the error could be
// taken for a success: whoever commits asks for a failure last.
//
// A new log that cannot be made, because there is no descriptor or no room, is no failure at first. One is kept open for that, under a name of its own; while it is
// in use, new claims are refused, and what they would have written is left for the replies of accepted ones.
type logFS struct {
	vfs.FS
	spareName string
	fail      func(error)
	patience  time.Duration // for a new log when there is no spare
	ready     atomic.Bool   // there is a spare
	failed    atomic.Bool
	trying    atomic.Pointer[chan struct{}] // nil, or closed when Pebble has a new log or the store has failed

	mu    sync.Mutex
	spare vfs.File
	tried time.Time // by the system's clock
	why   error     // there is none
}

const (
	spareName  = "spare.log" // a log in how it is written; its name is no number, so that it is none of Pebble's
	newLogWait = 2 * time.Second
	mostPause  = 100 * time.Millisecond
)

// Create implements [vfs.FS].
func (l *logFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if l.over(name) {
		return l.nothing(c)
	}
	f, err := l.FS.Create(name, c)
	return l.guard(name, c, f, err)
}

// ReuseForWrite implements [vfs.FS]. If it fails the old log may have the new name already; whatever takes its place removes it.
func (l *logFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if l.over(name) {
		return l.nothing(c)
	}
	f, err := l.FS.ReuseForWrite(old, name, c)
	if err != nil {
		_ = l.FS.Remove(old)
	}
	return l.guard(name, c, f, err)
}

// Unwrap implements [vfs.FS].
func (l *logFS) Unwrap() vfs.FS { return l.FS }

func (l *logFS) guard(name string, c vfs.DiskWriteCategory, f vfs.File, err error) (vfs.File, error) {
	if !isLog(name) {
		return f, err
	}
	if err != nil {
		f, err = l.takeSpare(name, err)
	}
	if err != nil && !l.failed.Load() {
		end := make(chan struct{})
		l.trying.Store(&end)
		defer func() { l.trying.Store(nil); close(end) }()
		f, err = l.tryAgain(name, c, err)
	}
	if err == nil {
		return &vitalFile{f, l}, nil
	}
	l.failWith(fmt.Errorf("no new log: %w", err))
	return l.nothing(c)
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// over reports that the log has failed, and this would be the next one. It must not be there: the failed log may be torn, and only in the last one that is no damage.
func (l *logFS) over(name string) bool { return isLog(name) && l.failed.Load() }

// nothing is a log that nobody will read.
func (l *logFS) nothing(c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := vfs.NewMem().Create(spareName, c)
	return &vitalFile{f, l}, err
}

func (l *logFS) tryAgain(name string, c vfs.DiskWriteCategory, err error) (f vfs.File, _ error) {
	pause := time.Millisecond
	for begun := time.Now(); err != nil && time.Since(begun) < l.patience; pause = min(2*pause, mostPause) {
		time.Sleep(pause)
		f, err = l.FS.Create(name, c)
	}
	return f, err
}

// wait keeps a call that may write out of Pebble while that has no log, and with no lock of the store's: those who are in there wait whatever their deadlines.
func (l *logFS) wait(ctx context.Context) error {
	end := l.trying.Load()
	if end == nil {
		return nil
	}
	select {
	case <-*end:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// takeSpare gives the spare the name of the new log, which could not be made because of why.
func (l *logFS) takeSpare(name string, why error) (vfs.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.spare
	l.ready.Store(false)
	l.spare, l.why = nil, why
	if f == nil {
		return nil, why
	}
	if err := l.FS.Rename(l.spareName, name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// refuse reports that there is no spare for the next log, and none can be made: a new claim must not need one.
func (l *logFS) refuse() error {
	if l.ready.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.spare == nil && now.Sub(l.tried) > lookAgain {
		l.tried = now
		if f, err := l.FS.Create(l.spareName, vfs.WriteCategoryUnspecified); err != nil {
			l.why = err
		} else {
			l.spare = f
			l.ready.Store(true)
		}
	}
	if l.spare == nil {
		return fmt.Errorf("pebblestore: no new file can be made for the log: %w (raise the limit of open files, or make room on the disk; accepted claims are completed meanwhile): %w", l.why, store.ErrFull)
	}
	return nil
}

// close gives the spare back.
func (l *logFS) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spare != nil {
		_ = l.spare.Close()
		_ = l.FS.Remove(l.spareName)
		l.spare = nil
		l.ready.Store(false)
	}
}

func (l *logFS) failWith(err error) {
	l.fail(err)
	l.failed.Store(true)
}

// vitalFile is a file of the log, or another whose errors Pebble does not survive. After an error it keeps nothing more and says yes to everything: the store has failed.
type vitalFile struct {
	vfs.File
	fs *logFS
}

func (f *vitalFile) heard(err error) error {
	if err == nil {
		return nil
	}
	f.fs.failWith(err)
	return nil
}

// Write implements [vfs.File].
func (f *vitalFile) Write(p []byte) (int, error) {
	if f.fs.failed.Load() {
		return len(p), nil
	}
	n, err := f.File.Write(p)
	if err = f.heard(err); err == nil {
		n = len(p)
	}
	return n, err
}

// Sync implements [vfs.File].
func (f *vitalFile) Sync() error { return f.do(f.File.Sync) }

// SyncData implements [vfs.File].
func (f *vitalFile) SyncData() error { return f.do(f.File.SyncData) }

// SyncTo implements [vfs.File].
func (f *vitalFile) SyncTo(n int64) (full bool, err error) {
	err = f.do(func() (err error) {
		full, err = f.File.SyncTo(n)
		return err
	})
	return full, err
}

// Close implements [vfs.File].
func (f *vitalFile) Close() error { return f.heard(f.File.Close()) }

func (f *vitalFile) do(sync func() error) error {
	if f.fs.failed.Load() {
		return nil
	}
	return f.heard(sync())
}
