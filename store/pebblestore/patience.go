package pebblestore

import (
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// patientFS lets Pebble wait before it tries again to write a table, which it would do at once and for ever.
type patientFS struct {
	vfs.FS
	*backlog
}

const (
	firstPatience = time.Millisecond
	mostPatience  = time.Second
)

// Create implements [vfs.FS].
func (f patientFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if n := f.fails.Load(); n > 0 && strings.HasSuffix(name, ".sst") {
		wait := time.NewTimer(min(firstPatience<<min(n, 20), mostPatience))
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-f.closing:
		}
	}
	return f.FS.Create(name, c)
}

// Unwrap implements [vfs.FS].
func (f patientFS) Unwrap() vfs.FS { return f.FS }
