package pebblestore

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// readSafely is deferred around reads: Pebble v2.1.7 panics where it wants to report that a file of values is missing or damaged. A fault of this program stays a panic.
func readSafely(err *error) {
	p := recover()
	if p == nil {
		return
	}
	if _, ours := p.(runtime.Error); ours {
		panic(p)
	}
	*err = fmt.Errorf("%w: %v (%s)", ErrCorrupt, p, restoreHint)
}

const restoreHint = "run: onceward store verify; restore the directory from a backup and seal every service until now"

// readFailed wraps an error of a read.
func readFailed(op string, err error) error {
	if err == nil {
		return nil
	}
	if pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s: %w (%s)", ErrCorrupt, op, err, restoreHint)
	}
	return failed(op, err)
}

// allValues fails if files of values are missing, which Pebble would find out at some later read or merge only.
func (s *Store) allValues() error {
	names, err := s.config.fs.List(s.dir)
	if err != nil {
		return err
	}
	have := uint64(0)
	for _, name := range names {
		if strings.HasSuffix(name, ".blob") {
			have++
		}
	}
	if live := s.db.Metrics().BlobFiles.LiveCount; have < live {
		return fmt.Errorf("%w: it has %d files of values and should have %d (%s)", ErrCorrupt, have, live, restoreHint)
	}
	return nil
}
