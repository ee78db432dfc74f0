package pebblestore

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// orderedFS syncs the folder before a marker of Pebble's is made, so that after a loss of power no marker names a file that is not there. Pebble leaves the two
// to one sync, and a file system may keep the newer name only: found by TestPowerLoss, known as cockroachdb/pebble#5825, not fixed in v2.1.7.
type orderedFS struct{ vfs.FS }

// Create implements [vfs.FS].
func (f orderedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(f.PathBase(name), "marker.") {
		if err := syncFolder(f.FS, f.PathDir(name)); err != nil {
			return nil, err
		}
	}
	return f.FS.Create(name, c)
}

// Unwrap implements [vfs.FS].
func (f orderedFS) Unwrap() vfs.FS { return f.FS }
