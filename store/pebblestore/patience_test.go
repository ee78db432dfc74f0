package pebblestore

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// While flushes fail, the next one comes soon, and merges leave it the room: until one succeeds, or for a second.
func TestMergesGiveWayToFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backlog{}
		o := &pebble.Options{FS: vfs.NewMem(), EventListener: listener(t.Logf)}
		b.attach(o, nil)
		took := func(file string, c vfs.DiskWriteCategory) time.Duration {
			began := time.Now()
			f, err := o.FS.Create(file, c)
			if err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
			return time.Since(began)
		}
		fail := func() {
			o.EventListener.FlushEnd(pebble.FlushInfo{Err: errRefused})
			o.EventListener.BackgroundError(errRefused)
		}
		if d := took("1.sst", "pebble-compaction"); d != 0 {
			t.Errorf("when all is well, a merge waits for %v", d)
		}
		o.EventListener.BackgroundError(errRefused)
		if b.failing.Load() != nil {
			t.Error("a merge that fails passes for a flush")
		}
		fail()
		if d := took("2.log", "pebble-wal"); d != 0 {
			t.Errorf("the log waits for %v", d)
		}
		if d := took("3.sst", flushCategory); d != 2*firstPatience {
			t.Errorf("a flush waits for %v", d)
		}
		if d := took("4.blob", "pebble-compaction"); d != mergePatience {
			t.Errorf("a merge waits for %v", d)
		}
		for range 100 {
			fail()
		}
		if d := took("5.sst", flushCategory); d != mostPatience {
			t.Errorf("a flush that has failed often waits for %v", d)
		}
		go func() {
			time.Sleep(mergePatience / 4)
			o.EventListener.FlushEnd(pebble.FlushInfo{})
		}()
		if d := took("6.sst", "pebble-compaction"); d != mergePatience/4 {
			t.Errorf("a merge waits for %v when a flush has succeeded", d)
		}
		if d := took("7.sst", "pebble-compaction"); d != 0 || b.failing.Load() != nil {
			t.Errorf("when all is well again, a merge waits for %v", d)
		}
	})
}
