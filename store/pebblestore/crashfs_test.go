package pebblestore

import (
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// failing is a crashable file system that loses power at its n-th writing operation, just before it: what a crash leaves is drawn there and then. The process
// that runs on it notices nothing.
type failing struct {
	vfs.FS
	mem     *vfs.MemFS
	percent int // of what was not synced, that is on the disk all the same

	mu   sync.Mutex
	left int // operations until the crash
	rng  *rand.Rand
	disk *vfs.MemFS // after the crash
}

func newFailing(mem *vfs.MemFS, n, percent int, seed uint64) *failing {
	return &failing{FS: mem, mem: mem, left: n, percent: percent, rng: rand.New(rand.NewPCG(seed, 2))}
}

func (f *failing) step() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left == 0 {
		f.clone()
	}
}

func (f *failing) clone() {
	f.disk = f.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: f.percent, RNG: f.rng})
}

func (f *failing) crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.disk != nil
}

// after is what is left; without a crash so far, it is now.
func (f *failing) after() *vfs.MemFS {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.disk == nil {
		f.clone()
	}
	return f.disk
}

func (f *failing) wrap(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return file, err
	}
	return &failingFile{file, f}, nil
}

func (f *failing) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f.step()
	return f.wrap(f.FS.Create(name, c))
}

func (f *failing) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f.step()
	return f.wrap(f.FS.ReuseForWrite(old, name, c))
}

func (f *failing) OpenDir(name string) (vfs.File, error) { return f.wrap(f.FS.OpenDir(name)) }
func (f *failing) Rename(old, name string) error         { f.step(); return f.FS.Rename(old, name) }
func (f *failing) Remove(name string) error              { f.step(); return f.FS.Remove(name) }
func (f *failing) Link(old, name string) error           { f.step(); return f.FS.Link(old, name) }

type failingFile struct {
	vfs.File
	fs *failing
}

func (f *failingFile) Write(p []byte) (int, error)  { f.fs.step(); return f.File.Write(p) }
func (f *failingFile) Sync() error                  { f.fs.step(); return f.File.Sync() }
func (f *failingFile) SyncData() error              { f.fs.step(); return f.File.SyncData() }
func (f *failingFile) SyncTo(n int64) (bool, error) { f.fs.step(); return f.File.SyncTo(n) }
func (f *failingFile) Close() error                 { f.fs.step(); return f.File.Close() }
