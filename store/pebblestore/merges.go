package pebblestore

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// merges lets Pebble wait before it tries a merge again that has failed, which it would do at once and for ever, with a line to Logf each time. What waits for
// flushes is [patientFS]'s.
type merges struct {
	vfs.FS
	pause func(time.Duration)
	fails atomic.Int64 // in a row
}

// attach puts it between Pebble and its file system. pause ends when the store closes at the latest.
func (m *merges) attach(o *pebble.Options, pause func(time.Duration)) {
	m.FS, m.pause = o.FS, pause
	o.FS = m
	tell := o.EventListener.CompactionEnd
	o.EventListener.CompactionEnd = func(i pebble.CompactionInfo) {
		m.ended(i.Err)
		if tell != nil {
			tell(i)
		}
	}
}

func (m *merges) ended(err error) {
	switch {
	case err == nil:
		m.fails.Store(0)
	case !errors.Is(err, pebble.ErrCancelledCompaction): // by a cut: it is due again at once
		m.fails.Add(1)
	}
}

// Create implements [vfs.FS].
func (m *merges) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if n := m.fails.Load(); n > 0 && c != flushCategory && isTable(name) {
		m.pause(min(firstPatience<<min(n, 10), mergePatience))
	}
	return m.FS.Create(name, c)
}

// Unwrap implements [vfs.FS].
func (m *merges) Unwrap() vfs.FS { return m.FS }

func isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}
