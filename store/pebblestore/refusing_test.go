package pebblestore

import (
	"errors"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// refusing is a file system whose log cannot be written once refuse is set.
type refusing struct {
	vfs.FS
	refuse atomic.Bool
}

func (f *refusing) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return f.wrap(name, file, err)
}

func (f *refusing) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(old, name, c)
	return f.wrap(name, file, err)
}

func (f *refusing) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") {
		return file, err
	}
	return &refusingFile{file, f}, nil
}

type refusingFile struct {
	vfs.File
	fs *refusing
}

var errRefused = errors.New("input/output error")

func (f *refusingFile) Write(p []byte) (int, error) {
	if f.fs.refuse.Load() {
		n, _ := f.File.Write(p[:len(p)/2]) // torn, as a full disk does
		return n, errRefused
	}
	return f.File.Write(p)
}

func (f *refusingFile) SyncData() error {
	if f.fs.refuse.Load() {
		return errRefused
	}
	return f.File.SyncData()
}
