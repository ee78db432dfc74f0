package pebblestore

import (
	"bytes"
	"compress/flate"
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// roomy is a file system that says how much of it is free, and tells of each write to the ballast.
type roomy struct {
	vfs.FS
	free  uint64
	write func()
	open  atomic.Bool // the ballast is: its room is not free, though it may be removed
}

func (f *roomy) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free}, nil
}

func (f *roomy) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, o...)
	if err != nil || !strings.HasSuffix(name, ballastName) {
		return file, err
	}
	f.open.Store(true)
	return &roomyFile{file, f}, nil
}

func (f *roomyFile) Close() error {
	f.fs.open.Store(false)
	return f.File.Close()
}

type roomyFile struct {
	vfs.File
	fs *roomy
}

func (f *roomyFile) WriteAt(p []byte, at int64) (int, error) {
	if f.fs.write != nil {
		f.fs.write()
	}
	return f.File.WriteAt(p, at)
}

// full is a file that finds the disk full as long as the ballast is open, and once at least.
type full struct {
	vfs.File
	disk *roomy
	met  chan struct{} // closed by the first write
	once sync.Once
}

func (f *full) Write(p []byte) (int, error) {
	first := false
	f.once.Do(func() { first = true; close(f.met) })
	if first || f.disk.open.Load() {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

type fullFS struct {
	*roomy
	met chan struct{}
}

func (f fullFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return &full{File: file, disk: f.roomy, met: f.met}, err
}

// While the ballast is written, claims are answered, and as if there were none; if a write finds the disk full in the midst of that, there is none afterwards.
func TestBallastIsWrittenBesideClaims(t *testing.T) {
	for _, full := range []bool{false, true} {
		f := &roomy{FS: vfs.NewMem(), free: 1 << 30}
		d := &disk{fs: f, least: 4 << 20, loose: true}
		writes, written := 0, make(chan error, 1)
		f.write = func() {
			writes++
			if writes == 1 && !d.mu.TryLock() {
				t.Fatal("the disk is locked while the ballast is written")
			} else if writes > 1 {
				d.mu.Lock()
			}
			loose := d.loose
			d.mu.Unlock()
			if !loose {
				t.Error("the ballast passes for one before it is there")
			}
			if err := d.refuse(0); err != nil {
				t.Error(err)
			}
			if !full || writes > 1 {
				return
			}
			met := make(chan struct{})
			go func() {
				log, err := d.watch(fullFS{f, met}).Create("log", vfs.WriteCategoryUnspecified)
				if err == nil {
					_, err = log.Write([]byte("entry"))
				}
				written <- err
			}()
			<-met
		}
		if err := d.setAside(t.Context(), nil, 4*d.least); err != nil {
			t.Fatal(err)
		}
		if full {
			if err := <-written; err != nil {
				t.Errorf("the write for which the ballast was given up: %v", err)
			}
		}
		_, err := f.Stat(ballastName)
		if !full && writes != 4 || d.loose != full || (err != nil) != full {
			t.Errorf("full %v: %d writes, given up: %v, the file: %v", full, writes, d.loose, err)
		}
	}
}

// The ballast takes its room on file systems that compress, too.
func TestBallastDoesNotCompress(t *testing.T) {
	f := &roomy{FS: vfs.NewMem(), free: 1 << 30}
	if _, err := newDisk(f, "", 2<<20); err != nil {
		t.Fatal(err)
	}
	file, err := f.Open(ballastName)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil || len(text) != 2<<20 {
		t.Fatal(len(text), err)
	}
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	if small.Len() < len(text) || bytes.Equal(text[:1<<20], text[1<<20:]) {
		t.Errorf("%d bytes of ballast take %d", len(text), small.Len())
	}
}

// A ballast that takes longer than a purge may is finished by later ones, each of which goes on where the last one ended, also one that has no time left at all.
func TestBallastIsFinishedByLaterPurges(t *testing.T) {
	f := &roomy{FS: vfs.NewMem(), free: 4 * 5 << 20}
	d := &disk{fs: f, least: 5 << 20, loose: true}
	ctx, cancel := context.WithCancel(t.Context())
	writes := 0
	f.write = func() {
		f.free -= ballastBlock
		if writes++; writes == 2 {
			cancel()
		}
	}
	for n, want := range []int{2, 3, 4, 5, 5} {
		if err := d.setAside(ctx, nil, 4*d.least); err != nil {
			t.Fatal(err)
		}
		if writes != want || d.loose != (n < 3) {
			t.Errorf("call %d: %d blocks are written, loose %v; want %d", n, writes, d.loose, want)
		}
		if d.looked = (time.Time{}); n < 3 && d.refuse(d.least) != nil {
			t.Errorf("call %d: a claim is refused: what is begun counts twice", n)
		}
	}
	if info, err := f.Stat(ballastName); err != nil || info.Size() != d.least {
		t.Errorf("the ballast: %v, %v", info, err)
	}
}

// What is begun of a ballast is begun anew if it is not there any more, and is removed if the disk has become tight meanwhile.
func TestABegunBallastIsNotTrusted(t *testing.T) {
	f := &roomy{FS: vfs.NewMem(), free: 1 << 30}
	d := &disk{fs: f, least: 5 << 20, loose: true}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := d.setAside(over, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Remove(ballastName); err != nil {
		t.Fatal(err)
	}
	if err := d.setAside(over, nil, 0); err != nil || d.begun != ballastBlock {
		t.Errorf("removed by somebody: %d bytes, %v; want that it begins anew", d.begun, err)
	}
	f.free = 19<<20 - 1
	if err := d.setAside(t.Context(), nil, 4*d.least); err != nil || d.begun != 0 || !d.loose {
		t.Errorf("on a tight disk: %d bytes, %v", d.begun, err)
	}
	if _, err := f.Stat(ballastName); err == nil {
		t.Error("on a tight disk what was begun keeps its room")
	}
}
