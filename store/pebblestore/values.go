package pebblestore

import (
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// valuesFS keeps from Pebble the errors of its files of values: v2.1.7 goes through nil, in the background, when the last write, the sync or the close of one fails, which
// ends the process. The table that refers to the values fails in their place: it is begun before they are, and synced after they are closed. With it fails each other
// table that was under way at that moment; all are made again.
type valuesFS struct {
	vfs.FS
	fail   func(error)           // ends the store
	broken atomic.Int64          // files of values so far
	why    atomic.Pointer[error] // the newest
}

// rewriteCategory is what Pebble calls the writes of a file of values that takes another's place: there is no table that could fail.
const rewriteCategory = "pebble-blob-file-rewrite"

// mostBuffered is how much Pebble collects before it writes: more in one write is never the last one.
const mostBuffered = 4 << 10

// Create implements [vfs.FS].
func (f *valuesFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	broken := f.broken.Load()
	file, err := f.FS.Create(name, c)
	switch {
	case err != nil:
	case strings.HasSuffix(name, ".blob"):
		file = &valuesFile{File: file, fs: f, alone: c == rewriteCategory}
	case strings.HasSuffix(name, ".sst"):
		file = &tableFile{file, f, broken}
	}
	return file, err
}

// Unwrap implements [vfs.FS].
func (f *valuesFS) Unwrap() vfs.FS { return f.FS }

// valuesFile is a file of values. After an error it keeps nothing more and says yes to everything.
type valuesFile struct {
	vfs.File
	fs    *valuesFS
	alone bool // without a table
	bad   bool
}

func (f *valuesFile) heard(err error) {
	if err == nil || f.bad {
		return
	}
	f.bad = true
	if f.alone {
		f.fs.fail(err)
		return
	}
	f.fs.why.Store(&err)
	f.fs.broken.Add(1)
}

// Write implements [vfs.File].
func (f *valuesFile) Write(p []byte) (int, error) {
	if f.bad {
		return len(p), nil
	}
	n, err := f.File.Write(p)
	if err != nil && f.alone && len(p) > mostBuffered {
		return n, err
	}
	f.heard(err)
	return len(p), nil
}

// Sync implements [vfs.File].
func (f *valuesFile) Sync() error { return f.do(f.File.Sync) }

// SyncData implements [vfs.File].
func (f *valuesFile) SyncData() error { return f.do(f.File.SyncData) }

// SyncTo implements [vfs.File].
func (f *valuesFile) SyncTo(n int64) (full bool, err error) {
	err = f.do(func() (err error) {
		full, err = f.File.SyncTo(n)
		return err
	})
	return full, err
}

// Close implements [vfs.File].
func (f *valuesFile) Close() error {
	f.heard(f.File.Close())
	return nil
}

func (f *valuesFile) do(sync func() error) error {
	if !f.bad {
		f.heard(sync())
	}
	return nil
}

// tableFile is a table, which fails if a file of values has failed since it was begun.
type tableFile struct {
	vfs.File
	fs     *valuesFS
	broken int64
}

// Sync implements [vfs.File].
func (f *tableFile) Sync() error { return f.do(f.File.Sync) }

// SyncData implements [vfs.File].
func (f *tableFile) SyncData() error { return f.do(f.File.SyncData) }

func (f *tableFile) do(sync func() error) error {
	if f.fs.broken.Load() != f.broken {
		return *f.fs.why.Load()
	}
	return sync()
}
