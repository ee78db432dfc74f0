package pebblestore

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lazyLog is a file system for [ProcessCrash]: a sync of the log hands it to the operating system and no further, until the log is closed. All other files are
// synced, so that the directory stays whole.
type lazyLog struct{ vfs.FS }

// Create implements [vfs.FS].
func (l lazyLog) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return lazy(name)(l.FS.Create(name, c))
}

// ReuseForWrite implements [vfs.FS].
func (l lazyLog) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return lazy(name)(l.FS.ReuseForWrite(old, name, c))
}

// Unwrap implements [vfs.FS].
func (l lazyLog) Unwrap() vfs.FS { return l.FS }

func lazy(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil || !strings.HasSuffix(name, ".log") {
			return f, err
		}
		return &lazyFile{f}, nil
	}
}

type lazyFile struct{ vfs.File }

// Sync implements [vfs.File]: what was written is the operating system's already.
func (f *lazyFile) Sync() error { return nil }

// SyncData implements [vfs.File].
func (f *lazyFile) SyncData() error { return nil }

// SyncTo implements [vfs.File].
func (f *lazyFile) SyncTo(int64) (bool, error) { return false, nil }

// Close syncs.
func (f *lazyFile) Close() error {
	if err := f.File.Sync(); err != nil {
		_ = f.File.Close()
		return err
	}
	return f.File.Close()
}

// settle brings to the disk what the log has so far, where that waits otherwise. It goes before what does not wait for the log: a cut is on the disk at once, and without
// the removal before it, which raised the watermark and moved what was open, the records would be gone and nobody would know.
func (s *Store) settle() (err error) {
	if cause := s.failure.Load(); cause != nil {
		return *cause
	}
	if s.config.Durability != ProcessCrash {
		return nil
	}
	defer s.recoverFatal(&err)
	return failed("flush", s.db.Flush())
}
