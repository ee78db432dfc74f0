package pebblestore

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// Open opens the store in the directory, or makes it if the directory is empty or not there. It starts what Pebble does in the background; Close ends it.
// What a killed process has left in the log is written to a table first: while that fails Open tries again and tells Config.Logf why, and has no deadline.
func Open(dir string, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s := newStore(dir, c)
	if err := s.openDir(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) openDir() (err error) {
	f := s.config.fs
	if err := makeFolder(f, s.dir); err != nil {
		return opening(s.dir, err)
	}
	dir, err := realFolder(f, s.dir)
	if err != nil {
		return opening(s.dir, err)
	}
	s.dir = dir
	if s.lock, err = lock(f, s.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = s.lock.Close()
		}
	}()
	m, err := readMarker(f, s.dir, s.config.Bucket)
	if err != nil {
		return err
	}
	s.width = store.Time(m.bucket / time.Millisecond)
	if s.disk, err = newDisk(f, s.dir, s.config.MinFree); err != nil {
		return opening(s.dir, err)
	}
	if m.unsynced {
		if f, err = s.mend(f); err != nil {
			return opening(s.dir, err)
		}
	}
	if s.config.Durability == ProcessCrash {
		s.lazy = newLazyLog(f)
		f = s.lazy
	}
	f = &valuesFS{FS: s.disk.watch(orderedFS{f}), fail: func(err error) { s.logs.failWith(fmt.Errorf("a file of values: %w", err)) }}
	s.logs = &logFS{FS: f, spareName: f.PathJoin(s.dir, spareName), fail: s.fail, patience: newLogWait}
	o := options(s.config, stillFS{s.logs})
	s.backlog.attach(o, s.closing)
	o.Lock = s.lock
	o.ErrorIfNotExists = m.complete // a directory whose files are lost must not pass for a new one
	if s.db, err = openPebble(s.dir, o); err != nil {
		return opening(s.dir, err)
	}
	_ = s.logs.refuse() // there is a spare from now on
	if err = s.allValues(); err == nil {
		err = s.load()
	}
	if err == nil && !m.complete {
		err = s.db.Flush() // the first log of a new store is of an old form, in which a hole is taken for the end; the next is not
	}
	if cause := s.Err(); err == nil && cause != nil {
		err = cause
	}
	s.marker = marker{m.format, m.bucket, true, s.config.Durability == ProcessCrash}
	if err == nil && s.marker != m { // no later: nothing is acknowledged yet; and no sooner: what a torn log has is in a table now
		err = s.marker.write(s.config.fs, s.dir)
	}
	if err != nil {
		_ = s.db.Close()
		s.logs.close()
		return opening(s.dir, err)
	}
	return nil
}

// openPebble turns what Pebble calls fatal into an error.
func openPebble(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if f, ok := recover().(fatal); ok {
			err = errors.New(string(f))
		}
	}()
	return pebble.Open(dir, o)
}

// options are Pebble's. A reply is written twice, to the log and to a file of values, and not again when tables are merged.
func options(c Config, f vfs.FS) *pebble.Options {
	o := &pebble.Options{
		FS:                         f,
		FormatMajorVersion:         pebble.FormatValueSeparation,
		Merger:                     counting,
		Logger:                     logger{c.Logf},
		EventListener:              listener(c.Logf),
		CacheSize:                  c.Memory / 2,
		MemTableSize:               uint64(c.tables),
		L0CompactionThreshold:      4,
		LBaseMaxBytes:              64 << 20,
		MaxOpenFiles:               500,
		CompactionConcurrencyRange: func() (int, int) { return 1, max(1, runtime.GOMAXPROCS(0)/2) },
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{Enabled: true, MinimumSize: 512, MaxBlobReferenceDepth: 10, RewriteMinimumAge: 10 * time.Minute, TargetGarbageRatio: 0.5}
	}
	return o
}

// listener hands on what goes wrong in the background. A damaged block fails the calls that need it and no others.
func listener(logf func(string, ...any)) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) { logf("pebblestore: in the background: %v", err) },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			logf("pebblestore: %s is damaged: %v (%s)", i.Path, i.Details, restoreHint)
		},
	}
}

func lock(f vfs.FS, dir string) (*pebble.Lock, error) {
	l, err := pebble.LockDirectory(dir, f)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return nil, opening(dir, err)
	case errors.Is(err, syscall.ENOSPC):
		return nil, opening(dir, err)
	}
	return nil, fmt.Errorf("%w: %s: %w (one process at a time: end the other, or give each a directory of its own)", ErrInUse, dir, err)
}

// opening says of an error of Open what it is and what to do.
func opening(dir string, err error) error {
	if err == nil {
		return nil
	}
	var is error
	var hint string
	switch {
	case errors.Is(err, ErrForeign), errors.Is(err, ErrVersion), errors.Is(err, ErrCorrupt):
		return err
	case errors.Is(err, pebble.ErrDBDoesNotExist), errors.Is(err, fs.ErrNotExist):
		is, hint = ErrCorrupt, "files are missing: restore the directory whole from a backup, and seal every service until now"
	case pebble.IsCorruptionError(err):
		is, hint = ErrCorrupt, restoreHint
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		is, hint = ErrReadOnly, "the process must own the directory, on a disk that is mounted for writing"
	case errors.Is(err, syscall.ENOSPC):
		is, hint = store.ErrFull, "free some space on the disk"
	default:
		return fmt.Errorf("pebblestore: open %s: %w", dir, err)
	}
	return fmt.Errorf("%w: %s: %w (%s)", is, dir, err, hint)
}
