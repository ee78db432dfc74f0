package pebblestore

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// unsyncable is a file system whose logs cannot be synced once on is set.
type unsyncable struct {
	vfs.FS
	on atomic.Bool
}

func (f *unsyncable) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	if err != nil || !isLog(name) {
		return file, err
	}
	return &unsyncableFile{file, f}, nil
}

type unsyncableFile struct {
	vfs.File
	fs *unsyncable
}

func (f *unsyncableFile) Sync() error {
	if f.fs.on.Load() {
		return errRefused
	}
	return f.File.Sync()
}

// A log that cannot be synced is an error, to whoever closes as to whoever purges, and the directory goes on saying that it may have a hole.
func TestProcessCrashTellsOfASyncThatFails(t *testing.T) {
	for what, call := range map[string]func(*Store) error{
		"Close": func(s *Store) error { return s.Close() },
		"Purge": func(s *Store) error {
			_, err := s.Purge(context.Background(), store.PurgeRequest{Limit: 10})
			return errors.Join(err, s.Close())
		},
	} {
		t.Run(what, func(t *testing.T) {
			f := &unsyncable{FS: vfs.NewMem()}
			clock := &settable{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
			s, err := Open("store", Config{Durability: ProcessCrash, Bucket: testBucket, Clock: clock.now, fs: f, Logf: t.Logf, reach: func(point string) {
				if point == "cut out" {
					t.Error("it is cut, though the removal is not on the disk")
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			finish(t, s, identity("done", 0), 1)
			clock.move(testWindow + testGuard + 2*testBucket)
			f.on.Store(true)
			if err := call(s); !errors.Is(err, ErrFailed) || !errors.Is(err, errRefused) {
				t.Errorf("%s: %v; want ErrFailed, and why", what, err)
			}
			if m, err := lookMarker(f, "store"); err != nil || !m.unsynced {
				t.Errorf("the marker: %v, %v; want unsynced", m, err)
			}
		})
	}
}
