package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// flaky is a file system on which files of a kind fail from the n-th operation on, so many times.
type flaky struct {
	vfs.FS
	mu    sync.Mutex
	kind  string // "log", "root", "folder", "table" or "any"; others, as of options, fail with any only
	err   error
	after int
	times int // what is left
}

func (f *flaky) meets(kind string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.times == 0 || f.kind != kind && f.kind != "any" {
		return nil
	}
	if f.after--; f.after > 0 {
		return nil
	}
	f.times--
	return f.err
}

func (f *flaky) begin(kind string, after, times int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kind, f.after, f.times, f.err = kind, after, times, err
}

func (f *flaky) kindOf(name string) string {
	switch base := f.PathBase(name); {
	case isLog(base):
		return "log"
	case isTable(base):
		return "table"
	case isRoot(base):
		return "root"
	}
	return "other"
}

func (f *flaky) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	kind := f.kindOf(name)
	if err := f.meets(kind); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return &flakyFile{file, f, kind}, err
}

func (f *flaky) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.meets("log"); err != nil {
		return nil, errors.Join(err, f.FS.Rename(old, name))
	}
	file, err := f.FS.ReuseForWrite(old, name, c)
	return &flakyFile{file, f, "log"}, err
}

func (f *flaky) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	return &flakyFile{dir, f, "folder"}, err
}

func (f *flaky) Rename(old, name string) error {
	if err := f.meets(f.kindOf(name)); err != nil {
		return err
	}
	return f.FS.Rename(old, name)
}

func (f *flaky) Remove(name string) error {
	return errors.Join(f.meets(f.kindOf(name)), f.FS.Remove(name))
}

type flakyFile struct {
	vfs.File
	fs   *flaky
	kind string
}

func (f *flakyFile) Write(p []byte) (int, error) {
	if err := f.fs.meets(f.kind); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *flakyFile) sync(sync func() error) error {
	if err := f.fs.meets(f.kind); err != nil {
		return err
	}
	return sync()
}

func (f *flakyFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *flakyFile) SyncData() error { return f.sync(f.File.SyncData) }
func (f *flakyFile) Close() error    { return errors.Join(f.fs.meets(f.kind), f.File.Close()) }

// Random steps, seals, purges and flushes on a disk that fails in a random kind of file, once or for good, and while the store is opened. The process lives; every call comes back, and so does Close;
// the directory opens again, also if the power is lost instead; and what was acknowledged is there.
func TestDiskFailures(t *testing.T) {
	seeds(t, 15, 2000, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		l := &losing{TB: t, mayFail: true, rng: rng, records: map[store.Identity]store.Record{}, sealed: map[string]store.Time{}, tables: 64 << 10, after: func() {}}
		l.clock.t = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		l.durability = Durability(rng.IntN(2))
		disk := vfs.NewCrashableMem()
		for range 3 {
			f := &flaky{FS: disk}
			kinds, errs := []string{"log", "root", "folder", "table", "any"}, []error{syscall.EIO, syscall.ENOSPC, syscall.EMFILE}
			f.begin(kinds[rng.IntN(5)], 1+rng.IntN(20), rng.IntN(3), errs[rng.IntN(3)])
			s, err := Open("store", l.config(f))
			f.begin("", 0, 0, nil)
			if err != nil {
				s, err = Open("store", l.config(f))
			}
			if err != nil {
				t.Fatal(err)
			}
			s.logs.patience = 5 * time.Millisecond
			kind, times := kinds[rng.IntN(5)], []int{1, 2, 5, 1 << 30}[rng.IntN(4)]
			if kind == "table" || kind == "any" { // a flush would wait for ever
				times = min(times, 5)
			}
			f.begin(kind, 1+rng.IntN(60), times, errs[rng.IntN(3)])
			l.failing(s)
			lost := rng.IntN(2) == 0
			if lost && l.durability == ProcessCrash {
				lost = false // the newest would be gone
			}
			left := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng}
			if lost {
				left.UnsyncedDataPercent = rng.IntN(100)
				disk = disk.CrashClone(left)
			}
			if rng.IntN(2) == 0 {
				f.begin("", 0, 0, nil)
			}
			closed := within(t, "Close", func(context.Context) error { return s.Close() })
			if !lost {
				disk = disk.CrashClone(left)
			}
			l.look(disk)
			if t.Failed() {
				t.Logf("with %v, %d failures in %s, the power lost: %v; Close: %v", l.durability, times, kind, lost, closed)
				return
			}
		}
	})
}

// failing lives until a step, a seal or a purge fails, and not much longer than that.
func (l *losing) failing(s *Store) {
	l.flight, l.err = store.Identity{}, nil
	for n := 0; n < 200 && l.err == nil && s.failure.Load() == nil; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		switch n := l.rng.IntN(20); {
		case n < 14:
			l.step(s)
		case n < 16:
			l.clock.move(time.Duration(l.rng.IntN(5000)) * time.Millisecond)
		case n < 17:
			var at store.Time
			if at, l.err = s.Seal(ctx, "orders", store.TimeOf(l.clock.now())-store.Time(l.rng.IntN(20_000))); l.err == nil {
				l.sealed["orders"] = at
			}
		case n < 19:
			l.err = s.db.Flush()
		default:
			if _, l.err = s.Purge(ctx, store.PurgeRequest{Limit: 1 + 9*l.rng.IntN(2)}); l.err == nil {
				l.forget(s)
			}
		}
		cancel()
	}
}

// The same beside many writers, a purge and a listing.
func TestDiskFailuresUnderManyWriters(t *testing.T) {
	seeds(t, 5, 2000, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		disk := vfs.NewCrashableMem()
		f := &flaky{FS: disk}
		clock := &settable{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
		c := Config{Bucket: testBucket, Clock: clock.now, Logf: t.Logf, fs: f, tables: 64 << 10, moves: 2}
		s, err := Open("store", c)
		if err != nil {
			t.Fatal(err)
		}
		s.logs.patience = 5 * time.Millisecond
		kinds, errs := []string{"log", "root", "folder", "table", "any"}, []error{syscall.EIO, syscall.ENOSPC, syscall.EMFILE}
		f.begin(kinds[rng.IntN(5)], 50+rng.IntN(600), 1+rng.IntN(4), errs[rng.IntN(3)])
		expected := func(err error) {
			if err != nil && !errors.Is(err, ErrFailed) && !errors.Is(err, store.ErrFull) {
				t.Error(err)
			}
		}
		began := store.TimeOf(clock.now())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var done sync.Map
		var all sync.WaitGroup
		for w := range 8 {
			all.Go(func() {
				for n := 0; n < 60 && s.failure.Load() == nil; n++ {
					who := identity(fmt.Sprint(w, " ", n), store.TimeOf(clock.now())*store.Time(n%2))
					a, err := s.Claim(ctx, claimOf(who, tokenOf(1)))
					if err == nil && a.Verdict == store.Granted && n%7 > 0 {
						if a, err = s.Advance(ctx, completeOf(who, tokenOf(1), replyOf(who.Key))); err == nil && a.Verdict == store.Applied {
							done.Store(who, true)
						}
					}
					expected(err)
				}
			})
		}
		all.Go(func() {
			for n := 0; n < 30 && s.failure.Load() == nil; n++ {
				clock.move(700 * time.Millisecond)
				_, err := s.Purge(ctx, store.PurgeRequest{Limit: 10})
				expected(err)
				_, err = s.List(ctx, store.ListRequest{Class: store.ClassOpen, Limit: 10})
				expected(err)
			}
		})
		all.Wait()
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		_ = within(t, "Close", func(context.Context) error { return s.Close() }) // the disk may still fail
		c.fs = left
		after, err := Open("store", c)
		if err != nil {
			t.Fatal(err)
		}
		defer after.Close()
		sound(t, after)
		for key := range done.Range {
			who := key.(store.Identity)
			a, err := after.Get(t.Context(), who)
			purged := a.Record.State == store.Absent && who.Stamp <= a.Watermark && a.Now.Sub(began) > testWindow // unstamped: 0
			if err != nil || a.Verdict != store.Replay && !purged {
				t.Errorf("%s, acknowledged: %v, %v; watermark %d", who.Key, a.Verdict, err, a.Watermark)
			}
		}
	})
}
