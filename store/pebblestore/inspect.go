package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// Report is what is in a directory.
type Report struct {
	Format        int
	Bucket        time.Duration
	Services      []ServiceReport
	Marks         int64 // of released tokens, those that are over included
	Entries       uint64
	Files         int64 // bytes on the disk, the ballast not included
	OldestUnknown store.Time
	Records       int64    // that were read; Verify only
	Faults        []string // what does not fit together; Verify only
}

// ServiceReport is what a directory has of a service.
type ServiceReport struct {
	Name    string
	Stats   store.Stats
	Buckets int
	Attic   int64 // records there
}

// Inspect looks into a directory that no process has open, and changes nothing in it but the lock.
func Inspect(dir string) (Report, error) { return look(dir, false) }

// Verify is Inspect that also reads every record, and with them all checksums, and holds records, indexes, counts and buckets against each other.
// What does not fit is in Faults; what cannot be read is an error that wraps [ErrCorrupt].
func Verify(dir string) (Report, error) { return look(dir, true) }

func look(dir string, verify bool) (r Report, err error) {
	c, err := Config{}.withDefaults()
	if err != nil {
		return r, err
	}
	m, err := lookMarker(c.fs, dir)
	if err == nil {
		dir, err = realFolder(c.fs, dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%w: %s has no file %s (give the directory of a store)", ErrForeign, dir, markerName)
	}
	if err != nil {
		return r, err
	}
	s := newStore(dir, c)
	s.width = store.Time(m.bucket / time.Millisecond)
	if s.lock, err = lock(c.fs, dir); err != nil {
		return r, err
	}
	defer s.lock.Close()
	f := c.fs
	if m.unsynced {
		t, err := findTorn(f, dir)
		if err != nil {
			return r, opening(dir, err)
		}
		if t != nil {
			f = tornFS{f, t}
		}
	}
	o := options(c, f)
	o.Lock, o.ErrorIfNotExists, o.ReadOnly = s.lock, true, true
	if s.db, err = openPebble(dir, o); err != nil {
		return r, opening(dir, err)
	}
	defer func() { err = errors.Join(err, failed("close", s.db.Close())) }()
	if err := errors.Join(s.allValues(), s.load()); err != nil {
		return r, opening(dir, err)
	}
	r = Report{Format: m.format, Bucket: m.bucket, Marks: s.marks.Load(), Entries: s.entries, Files: int64(s.db.Metrics().DiskSpaceUsage())}
	if err := s.describe(&r); err != nil || !verify {
		return r, err
	}
	found, err := s.check()
	r.Records, r.Faults = found.Records, found.Faults
	return r, err
}

func (s *Store) describe(r *Report) error {
	for _, svc := range *s.services.byNumber.Load() {
		st, err := s.count(context.Background(), svc.name)
		if err != nil {
			return err
		}
		if st.OldestUnknown != 0 && (r.OldestUnknown == 0 || st.OldestUnknown < r.OldestUnknown) {
			r.OldestUnknown = st.OldestUnknown
		}
		r.Services = append(r.Services, ServiceReport{Name: svc.name, Stats: st, Buckets: len(svc.live.Load().all()), Attic: svc.attic.Load()})
	}
	return nil
}

func newStore(dir string, c Config) *Store {
	s := &Store{config: c, dir: dir, sync: pebble.Sync, seed: maphash.MakeSeed(), closing: make(chan struct{}), failed: make(chan struct{})}
	s.clock.source = c.Clock
	s.room.maxRecords, s.room.maxBytes = c.MaxRecords, c.MaxBytes
	s.backlog.most = c.layers
	s.sieves.free = int(c.Memory / sievesShare / wordBytes)
	s.upkeep = newTurns()
	s.waiters.all = map[store.ID]*waiting{}
	s.services.byName.Store(&map[string]*service{})
	s.services.byNumber.Store(&[]*service{})
	return s
}
