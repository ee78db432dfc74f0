package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// worthless is a file system on which files of values fail once on is set: their last write, their sync or their close.
type worthless struct {
	vfs.FS
	what string
	on   atomic.Bool
	met  chan struct{} // takes the first failure
}

func (f *worthless) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	if err != nil || !strings.HasSuffix(name, ".blob") {
		return file, err
	}
	return &worthlessFile{file, f}, nil
}

type worthlessFile struct {
	vfs.File
	fs *worthless
}

func (f *worthlessFile) meets(what string) error {
	if what != f.fs.what || !f.fs.on.Load() {
		return nil
	}
	select {
	case f.fs.met <- struct{}{}:
	default:
	}
	return errRefused
}

func (f *worthlessFile) Write(p []byte) (int, error) {
	if err := f.meets("write"); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *worthlessFile) SyncData() error { return errors.Join(f.meets("sync"), f.File.SyncData()) }
func (f *worthlessFile) Close() error    { return errors.Join(f.meets("close"), f.File.Close()) }

// A file of values that cannot be written, synced or closed fails its table, which is made again, and neither the process nor the store.
func TestFailedValuesAreWrittenAgain(t *testing.T) {
	for _, what := range []string{"write", "sync", "close"} {
		t.Run(what, func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			f := &worthless{FS: mem, what: what, met: make(chan struct{}, 1)}
			s, err := Open("store", Config{fs: f, Logf: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				who := identity(fmt.Sprint(n), 0)
				if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Advance(t.Context(), completeOf(who, tokenOf(1), strings.Repeat(who.Key, 1000))); err != nil {
					t.Fatal(err)
				}
			}
			good := s.backlog.well()
			f.on.Store(true)
			if _, err := s.db.AsyncFlush(); err != nil {
				t.Fatal(err)
			}
			<-f.met
			f.on.Store(false)
			if err := within(t, "the flush", func(ctx context.Context) error {
				select {
				case <-good:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}); err != nil {
				t.Error(err)
			}
			after, err := Open("store", Config{fs: mem.CrashClone(vfs.CrashCloneCfg{}), Logf: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			defer after.Close()
			sound(t, after)
			for n := range 3 {
				if a, err := after.Get(t.Context(), identity(fmt.Sprint(n), 0)); err != nil || a.Verdict != store.Replay || len(a.Record.Reply) != 1000 {
					t.Errorf("%d: %v, %v", n, a.Verdict, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Where a file of values stands without a table, the store fails, unless Pebble survives the error: of a write that is not the last one.
func TestFailedValuesWithoutATableEndTheStore(t *testing.T) {
	for what, size := range map[string]int{"write": 100, "sync": 100, "close": 100, "write of much": mostBuffered + 1} {
		under := &worthless{FS: vfs.NewMem(), what: strings.TrimSuffix(what, " of much"), met: make(chan struct{}, 1)}
		under.on.Store(true)
		var failed error
		f := &valuesFS{FS: under, fail: func(err error) { failed = err }}
		table, err := f.Create("1.sst", rewriteCategory)
		if err != nil {
			t.Fatal(err)
		}
		file, err := f.Create("1.blob", rewriteCategory)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.Write(make([]byte, size))
		if big := size > mostBuffered; big != (err != nil) {
			t.Errorf("%s: the write: %v", what, err)
		}
		if err := errors.Join(file.SyncData(), file.Close(), table.SyncData()); err != nil {
			t.Errorf("%s: Pebble hears of %v", what, err)
		}
		if big := size > mostBuffered; big != (failed == nil) {
			t.Errorf("%s: the store hears of %v", what, failed)
		}
	}
}
