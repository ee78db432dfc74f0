package pebblestore

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// patientFS lets Pebble wait before it tries again to write a table, which it would do at once and for ever. Merges wait until flushes succeed: on a full disk they would
// take what little room there is from them.
type patientFS struct {
	vfs.FS
	*backlog
}

const (
	firstPatience = time.Millisecond
	mostPatience  = 50 * time.Millisecond
	mergePatience = time.Second // and then it tries, in case that the flush needs what the merge frees
)

// flushCategory is what Pebble calls the writes of a flush.
const flushCategory = "pebble-memtable-flush"

// Create implements [vfs.FS].
func (f patientFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if n := f.fails.Load(); n > 0 && isTable(name) {
		if c == flushCategory {
			f.patience(min(firstPatience<<min(n, 10), mostPatience), nil)
		} else {
			f.patience(mergePatience, f.well())
		}
	}
	return f.FS.Create(name, c)
}

// patience waits, until the store closes at the latest.
func (f patientFS) patience(d time.Duration, well <-chan struct{}) {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-well:
	case <-f.closing:
	}
}

// Unwrap implements [vfs.FS].
func (f patientFS) Unwrap() vfs.FS { return f.FS }
