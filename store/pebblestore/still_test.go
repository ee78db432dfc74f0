package pebblestore

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// rootless is a file system on which, once on is set, the manifest or the folder fails; of what is written half is there.
type rootless struct {
	vfs.FS
	what   string // "write", "sync" or "folder"
	on     atomic.Bool
	first  func()        // before the first failure
	synced chan struct{} // takes a sync of a log
}

func (f *rootless) meets(what string) error {
	if what != f.what || !f.on.Load() {
		return nil
	}
	if first := f.first; first != nil {
		f.first = nil
		first()
	}
	return errRefused
}

func (f *rootless) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	switch base := f.PathBase(name); {
	case err != nil:
	case strings.HasPrefix(base, "MANIFEST-"):
		file = &rootlessFile{file, f, "write", "sync"}
	case isLog(base):
		file = &rootlessFile{file, f, "", "log"}
	}
	return file, err
}

func (f *rootless) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	log, err := f.FS.ReuseForWrite(old, name, c)
	return &rootlessFile{log, f, "", "log"}, err
}

func (f *rootless) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	return &rootlessFile{dir, f, "", "folder"}, err
}

type rootlessFile struct {
	vfs.File
	fs          *rootless
	write, sync string
}

func (f *rootlessFile) Write(p []byte) (int, error) {
	if err := f.fs.meets(f.write); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *rootlessFile) Sync() error     { return errors.Join(f.fs.meets(f.sync), f.File.Sync()) }
func (f *rootlessFile) SyncData() error { f.tell(); return f.Sync() }

func (f *rootlessFile) tell() {
	select {
	case f.fs.synced <- struct{}{}:
	default:
	}
}

// A manifest that cannot be written or synced, and a folder that cannot be synced, fail the store, wherever Pebble meets it: in a purge's cut, in a flush, in a merge
// or with a new log. Whoever writes meanwhile hears of it, the store closes and opens again, and what was acknowledged is there, after a loss of power too.
func TestFailedManifestEndsTheStoreNotTheProcess(t *testing.T) {
	for _, what := range []string{"write", "sync", "folder"} {
		for _, where := range []string{"flush", "merge", "cut"} {
			t.Run(what+" in a "+where, func(t *testing.T) { failsStill(t, what, where) })
		}
	}
}

func failsStill(t *testing.T, what, where string) {
	mem := vfs.NewCrashableMem()
	f := &rootless{FS: mem, what: what, synced: make(chan struct{}, 1)}
	clock := &settable{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	c := Config{fs: f, Bucket: testBucket, Clock: clock.now, Logf: t.Logf, reach: func(point string) {
		if point == "cut out" {
			f.on.Store(true)
		}
	}}
	s, err := Open("store", c)
	if err != nil {
		t.Fatal(err)
	}
	kept := []store.Identity{identity("table", 0), identity("log", 0)}
	finish(t, s, identity("old", 0), 1)
	clock.move(testWindow + testGuard + 2*testBucket)
	finish(t, s, kept[0], 1)
	if what != "folder" { // then the cut is written at once; otherwise it begins a log
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, s, kept[1], 1)
	claim := func(key string) error {
		_, err := s.Claim(t.Context(), claimOf(identity(key, 0), tokenOf(2)))
		return err
	}
	other := make(chan error, 1)
	f.first = func() { // somebody writes while Pebble is at it
		select {
		case <-f.synced:
		default:
		}
		go func() { other <- claim("other") }()
		if where == "cut" && what != "folder" { // there he waits for the cut
			<-f.synced
		}
	}
	if where != "cut" {
		f.on.Store(true)
	}
	switch where {
	case "cut":
		if _, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 10}); !errors.Is(err, ErrFailed) || !errors.Is(err, errRefused) {
			t.Errorf("the purge: %v; want ErrFailed, and why", err)
		}
	case "flush":
		err = s.db.Flush()
	case "merge":
		err = s.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false)
	}
	if err != nil {
		t.Error(err)
	}
	select {
	case err := <-other:
		if err != nil && !errors.Is(err, ErrFailed) {
			t.Errorf("a claim meanwhile: %v", err)
		}
	case <-time.After(2 * time.Second):
		t.Fatal("a claim meanwhile does not come back")
	}
	if err := claim("late"); !errors.Is(err, ErrFailed) || !errors.Is(err, errRefused) {
		t.Errorf("a claim afterwards: %v; want ErrFailed, and why", err)
	}
	there := func(disk vfs.FS) {
		t.Helper()
		c := c
		c.fs = disk
		after, err := Open("store", c)
		if err != nil {
			t.Fatal(err)
		}
		defer after.Close()
		sound(t, after)
		for _, who := range kept {
			if a, err := after.Get(t.Context(), who); err != nil || a.Verdict != store.Replay {
				t.Errorf("%s, acknowledged: %v, %v", who.Key, a.Verdict, err)
			}
		}
	}
	there(mem.CrashClone(vfs.CrashCloneCfg{}))
	if err := within(t, "Close", func(context.Context) error { return s.Close() }); err != nil {
		t.Error(err)
	}
	f.on.Store(false)
	there(f)
}

// optionless is a file system on which Pebble's options cannot be written.
type optionless struct {
	vfs.FS
	merged atomic.Int64 // tables of merges
}

func (f *optionless) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	switch {
	case strings.HasPrefix(f.PathBase(name), "temporary."):
		return nil, errRefused
	case isTable(name) && c != flushCategory:
		f.merged.Add(1)
	}
	return f.FS.Create(name, c)
}

// Open that fails leaves nothing of Pebble's at work, which would go on without the lock, and ends the process without its caches.
func TestFailedOpenLeavesNoWorkBehind(t *testing.T) {
	mem := vfs.NewCrashableMem()
	waiting := &mergeless{FS: mem, hold: make(chan struct{})}
	s, err := Open("store", Config{fs: waiting, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"0", "1", "2", "3", "4", "5"} {
		finish(t, s, identity(key, 0), 1)
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, s, identity("in the log", 0), 1)
	left := mem.CrashClone(vfs.CrashCloneCfg{})
	close(waiting.hold)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for range 8 { // in seven of eight it would end the process
		f := &optionless{FS: left.CrashClone(vfs.CrashCloneCfg{})}
		if _, err := Open("store", Config{fs: f, Logf: t.Logf}); !errors.Is(err, errRefused) {
			t.Errorf("Open: %v; want why", err)
		}
		merged := f.merged.Load()
		if s, err = Open("store", Config{fs: f.FS, Logf: t.Logf}); err != nil {
			t.Fatal(err)
		}
		sound(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := f.merged.Load(); n != merged {
			t.Errorf("%d tables were merged after Open had failed", n-merged)
		}
	}
}
