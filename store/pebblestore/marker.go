package pebblestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The marker is a file that says whose directory it is, so that a foreign one is never written to, and in which format.
const (
	markerName    = "ONCEWARD"
	formatVersion = 1
)

type marker struct {
	format   int
	bucket   time.Duration
	complete bool // the store was made to its end: from then on its files must be there
	unsynced bool // and whoever opened it last, with ProcessCrash, has not closed it: a loss of power may have left holes in its log
}

func (m marker) String() string {
	state := "making"
	switch {
	case m.unsynced:
		state = "unsynced"
	case m.complete:
		state = "complete"
	}
	return fmt.Sprintf("onceward store, format %d, bucket %d ms, %s\n", m.format, m.bucket.Milliseconds(), state)
}

func parseMarker(text string) (m marker, err error) {
	var ms int64
	var state string
	if _, err := fmt.Sscanf(text, "onceward store, format %d,", &m.format); err != nil {
		return m, fmt.Errorf("%w: its %s file is unreadable", ErrCorrupt, markerName)
	}
	if m.format != formatVersion {
		return m, fmt.Errorf("%w: format %d, this build reads and writes %d (a newer release of onceward reads it; see its notes)", ErrVersion, m.format, formatVersion)
	}
	if _, err := fmt.Sscanf(text, "onceward store, format %d, bucket %d ms, %s\n", &m.format, &ms, &state); err != nil || state != "making" && state != "complete" && state != "unsynced" {
		return m, fmt.Errorf("%w: its %s file is unreadable", ErrCorrupt, markerName)
	}
	m.bucket, m.complete, m.unsynced = time.Duration(ms)*time.Millisecond, state != "making", state == "unsynced"
	if m.bucket < MinBucket || m.bucket > MaxBucket {
		return m, fmt.Errorf("%w: its %s file says that a bucket is %v", ErrCorrupt, markerName, m.bucket)
	}
	return m, nil
}

// readMarker reads the marker, or writes one into a directory that has nothing else.
func readMarker(f vfs.FS, dir string, bucket time.Duration) (marker, error) {
	m, err := lookMarker(f, dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	names, err := f.List(dir)
	if err != nil {
		return m, opening(dir, err)
	}
	for _, name := range names {
		if name != "LOCK" && name != markerName+".new" {
			return m, fmt.Errorf("%w: %s has %s and no %s (give an empty directory, or the right one)", ErrForeign, dir, name, markerName)
		}
	}
	m = marker{format: formatVersion, bucket: bucket.Truncate(time.Millisecond)}
	return m, opening(dir, m.write(f, dir))
}

func lookMarker(f vfs.FS, dir string) (marker, error) {
	file, err := f.Open(f.PathJoin(dir, markerName))
	if err != nil {
		return marker{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 1<<10))
	if err != nil {
		return marker{}, opening(dir, err)
	}
	m, err := parseMarker(strings.TrimSuffix(string(text), "\x00"))
	if err != nil {
		return m, fmt.Errorf("%s: %w", dir, err)
	}
	return m, nil
}

// write puts the marker in place, whole or not at all, and durably.
func (m marker) write(f vfs.FS, dir string) error {
	name := f.PathJoin(dir, markerName)
	file, err := f.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, m.String())
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := f.Rename(name+".new", name); err != nil {
		return err
	}
	return syncFolder(f, dir)
}
