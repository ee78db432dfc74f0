package pebblestore

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// stillFS keeps the directory as it is once the store has failed, and does for Pebble's manifest, its markers and the folder what [logFS] does for the log: of their
// errors Pebble would end the process, or, where somebody recovers, let all who write wait for ever. Pebble goes on in the belief that all is well, but nothing that
// it decides then reaches the manifest, and nothing is removed: what is on the disk is a store as of the failure, with all that was acknowledged. That begins in Open:
// where Pebble's returns an error after it has read the log, it leaves work behind that goes on without its caches, which ends the process, and without the lock.
type stillFS struct{ *logFS }

// Create implements [vfs.FS].
func (f stillFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !isRoot(f.PathBase(name)) {
		return f.logFS.Create(name, c)
	}
	if f.failed.Load() {
		return f.nothing(c)
	}
	file, err := f.FS.Create(name, c)
	if err != nil {
		f.failWith(fmt.Errorf("no new %s: %w", f.PathBase(name), err))
		return f.nothing(c)
	}
	return &vitalFile{file, f.logFS}, nil
}

// isRoot reports whether the file says which others belong to the store, or how to read them: a temporary one becomes OPTIONS.
func isRoot(base string) bool {
	return strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.") || strings.HasPrefix(base, "temporary.")
}

// Rename implements [vfs.FS].
func (f stillFS) Rename(old, name string) error {
	if f.failed.Load() {
		return nil
	}
	if err := f.FS.Rename(old, name); err != nil {
		f.failWith(fmt.Errorf("no new %s: %w", f.PathBase(name), err))
	}
	return nil
}

// OpenDir implements [vfs.FS].
func (f stillFS) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &vitalFile{dir, f.logFS}, nil
}

// Remove implements [vfs.FS].
func (f stillFS) Remove(name string) error {
	if f.failed.Load() {
		return nil
	}
	return f.FS.Remove(name)
}
