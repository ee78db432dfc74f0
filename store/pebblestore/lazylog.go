package pebblestore

import (
	"errors"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lazyLog is a file system for [ProcessCrash]: a sync of the log hands it to the operating system and no further, until the log is closed or [lazyLog.settle]
// is called. All other files are synced, so that the directory stays whole.
type lazyLog struct {
	vfs.FS

	mu   sync.Mutex
	open map[*lazyFile]struct{} // the log that is written, and the spare one
	err  error                  // a log could not be synced
}

func newLazyLog(f vfs.FS) *lazyLog { return &lazyLog{FS: f, open: map[*lazyFile]struct{}{}} }

// Create implements [vfs.FS].
func (l *lazyLog) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.Create(name, c)
	return l.lazy(name, f, err)
}

// ReuseForWrite implements [vfs.FS].
func (l *lazyLog) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.ReuseForWrite(old, name, c)
	return l.lazy(name, f, err)
}

// Unwrap implements [vfs.FS].
func (l *lazyLog) Unwrap() vfs.FS { return l.FS }

func (l *lazyLog) lazy(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !isLog(name) {
		return f, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lazy := &lazyFile{f, l}
	l.open[lazy] = struct{}{}
	return lazy, nil
}

// settle syncs what is written. A log that is no longer open was synced when it was closed; if it was not, settle says so.
func (l *lazyLog) settle() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := range l.open {
		l.heard(f.File.Sync())
	}
	return l.err
}

// heard keeps the first error. The caller has mu.
func (l *lazyLog) heard(err error) {
	if l.err == nil {
		l.err = err
	}
}

type lazyFile struct {
	vfs.File
	fs *lazyLog
}

// Sync implements [vfs.File]: what was written is the operating system's already.
func (f *lazyFile) Sync() error { return nil }

// SyncData implements [vfs.File].
func (f *lazyFile) SyncData() error { return nil }

// SyncTo implements [vfs.File].
func (f *lazyFile) SyncTo(int64) (bool, error) { return false, nil }

// Close syncs.
func (f *lazyFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	delete(f.fs.open, f)
	err := f.File.Sync()
	f.fs.heard(err)
	return errors.Join(err, f.File.Close())
}

// settle brings to the disk what the log has so far, where that waits otherwise. It goes before what does not wait for the log: a cut is on the disk at once, and without
// the removal before it, which raised the watermark and moved what was open, the records would be gone and nobody would know. It waits for the disk, and not for
// tables, which perhaps cannot be written.
func (s *Store) settle() error {
	if s.lazy != nil && s.Err() == nil {
		if err := s.lazy.settle(); err != nil {
			s.logs.failWith(err)
		}
	}
	if cause := s.Err(); cause != nil {
		return cause
	}
	return nil
}
