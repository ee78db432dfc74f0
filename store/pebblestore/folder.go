package pebblestore

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// makeFolder makes dir and what is missing above it, level by level, and syncs each new name into its parent before the next level: after a loss of power
// no acknowledged record stands in a folder that nobody finds. The name of the last level that was there is synced as well, if that can be: a crash may have come
// between its making and its sync.
func makeFolder(f vfs.FS, dir string) error {
	up := f.PathDir(dir)
	if up == dir {
		return nil
	}
	_, err := f.Stat(dir)
	if err == nil {
		_ = syncFolder(f, up) // it is most likely older than this store, and perhaps where this process may not look
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeFolder(f, up); err != nil {
		return err
	}
	if err := f.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncFolder(f, up)
}

// realFolder gives the one name that a folder has, through symbolic links and from the root. The lock of a folder is kept by name and, towards other processes, by
// process: under a second name it would be given twice, and looking there would take it from the store that has it.
func realFolder(f vfs.FS, dir string) (string, error) {
	if f != vfs.Default {
		return dir, nil
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// syncFolder makes the names in a folder durable.
func syncFolder(f vfs.FS, dir string) error {
	folder, err := f.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
