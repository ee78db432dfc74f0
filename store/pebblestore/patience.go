package pebblestore

import (
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// patientFS lets Pebble wait before it tries again a flush or a merge that has failed, which it would do at once and for ever, with a line to Logf each time. Merges
// also wait until flushes succeed: on a full disk they would take what little room there is from them.
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
	switch {
	case !isTable(name):
	case c == flushCategory:
		f.patience(growing(f.fails.Load(), mostPatience), nil)
	default:
		f.patience(growing(f.mergeFails.Load(), mergePatience), nil)
		if f.fails.Load() > 0 {
			f.patience(mergePatience, f.well())
		}
	}
	return f.FS.Create(name, c)
}

// growing is how long to wait after so many failures in a row.
func growing(fails int64, most time.Duration) time.Duration {
	if fails == 0 {
		return 0
	}
	return min(firstPatience<<min(fails, 10), most)
}

// patience waits, until the store closes at the latest.
func (f patientFS) patience(d time.Duration, well <-chan struct{}) {
	if d == 0 {
		return
	}
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

func isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}
