package pebblestore

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A merge that fails is tried again after a pause that grows to a second, until one succeeds; flushes and the log wait for none of it.
func TestFailedMergesPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		o := &pebble.Options{FS: vfs.NewMem(), EventListener: &pebble.EventListener{}}
		var b backlog
		b.attach(o, nil)
		end := func(err error) {
			b.stale.Store(false)
			if o.EventListener.CompactionEnd(pebble.CompactionInfo{Err: err}); b.stale.Load() {
				told++
			}
		}
		for _, step := range []struct {
			fails int
			err   error
			file  string
			c     vfs.DiskWriteCategory
			want  time.Duration
		}{
			{file: "1.sst", c: "pebble-compaction"},
			{fails: 1, err: pebble.ErrCancelledCompaction, file: "2.sst", c: "pebble-compaction"},
			{fails: 1, err: errRefused, file: "3.sst", c: "pebble-compaction", want: 2 * firstPatience},
			{fails: 1, err: errRefused, file: "4.blob", c: "pebble-compaction", want: 4 * firstPatience},
			{file: "5.sst", c: flushCategory},
			{file: "6.log", c: "pebble-wal"},
			{fails: 100, err: errRefused, file: "7.sst", c: "pebble-compaction", want: mergePatience},
			{fails: 1, file: "8.sst", c: "pebble-compaction"},
		} {
			for range step.fails {
				end(step.err)
			}
			began := time.Now()
			f, err := o.FS.Create(step.file, step.c)
			if err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
			if paused := time.Since(began); paused != step.want {
				t.Errorf("%s after %d more that ended with %v waits for %v; want %v", step.file, step.fails, step.err, paused, step.want)
			}
		}
		if told != 104 {
			t.Errorf("of 104 that have ended the backlog looks again after %d", told)
		}
	})
}

// unmerged is a file system on which flushes write tables, and merges cannot.
type unmerged struct {
	vfs.FS
	on atomic.Bool
}

func (f *unmerged) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if f.on.Load() && c != flushCategory && isTable(name) {
		return nil, errRefused
	}
	return f.FS.Create(name, c)
}

// A flush that a cut has cancelled, which begins again at once, is no failure: no claim is refused for it.
func TestACancelledFlushIsNoFailure(t *testing.T) {
	var b backlog
	o := &pebble.Options{FS: vfs.NewMem(), EventListener: listener(t.Logf)}
	b.attach(o, nil)
	for _, c := range []struct {
		err   error
		fails bool
	}{{pebble.ErrCancelledCompaction, false}, {errRefused, true}, {pebble.ErrCancelledCompaction, true}} {
		o.EventListener.FlushEnd(pebble.FlushInfo{Err: c.err})
		o.EventListener.BackgroundError(c.err)
		if failing := b.failing.Load(); (failing != nil) != c.fails {
			t.Errorf("after a flush that ended with %v tables cannot be written: %v", c.err, failing)
		}
	}
}

// Pebble tells the store of merges that fail.
func TestStoreHearsOfFailedMerges(t *testing.T) {
	f := &unmerged{FS: vfs.NewMem()}
	said := make(chan struct{}, 1)
	s, err := Open("store", Config{fs: f, Logf: func(string, ...any) {
		select {
		case said <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f.on.Store(true)
	for i := range 8 { // so that there is something to merge
		finish(t, s, identity(fmt.Sprint(i), 0), 1)
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-said:
	case <-time.After(5 * time.Second):
		t.Fatal("no merge has failed: the test proves nothing")
	}
	if s.backlog.mergeFails.Load() == 0 {
		t.Error("a merge has failed, and none is counted: it is tried again at once and for ever")
	}
}
