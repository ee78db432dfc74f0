package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// disk watches the free space. Pebble cannot go on after a full disk, so new claims are refused before: what has been accepted, and what
// Pebble does in the background, still has room then. If somebody else fills the disk all the same, the ballast is given up for that, and a purge sets it
// aside again.
type disk struct {
	fs      vfs.FS
	dir     string
	least   int64
	written atomic.Int64 // since the last look

	filling sync.Mutex // while the ballast is open: its room is not free before it is closed

	mu     sync.Mutex
	looked time.Time // by the system's clock: the store's may stand still
	free   int64
	loose  bool  // there is no ballast
	given  int   // how often it was given up
	begun  int64 // bytes of an unfinished one, which this process has written
}

const lookAgain = 100 * time.Millisecond

func newDisk(f vfs.FS, dir string, least int64) (*disk, error) {
	d := &disk{fs: f, dir: dir, least: least, loose: true}
	return d, d.setAside(context.Background(), nil, 3*least)
}

// watch gives up the ballast when a write finds the disk full, and lets that write be tried again.
func (d *disk) watch(f vfs.FS) vfs.FS {
	return vfs.OnDiskFull(f, func() {
		d.mu.Lock()
		_ = d.fs.Remove(d.ballast())
		d.loose, d.looked, d.begun = true, time.Time{}, 0
		d.given++
		d.mu.Unlock()
		d.filling.Lock() // whoever writes it sees after a block that it is given up
		defer d.filling.Unlock()
	})
}

func (d *disk) wrote(bytes int) { d.written.Add(int64(bytes)) }

// refuse reports that there is no room for a new record beside the replies that accepted claims may need.
func (d *disk) refuse(reserved int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.looked) > lookAgain || d.written.Load() > d.least/32 {
		usage, err := d.fs.GetDiskUsage(d.dir)
		switch {
		case errors.Is(err, vfs.ErrUnsupported):
			d.free = 1 << 62
		case err != nil:
			return failed("look at the disk", err)
		default:
			d.free = int64(usage.AvailBytes)
		}
		d.looked = now
		d.written.Store(0)
	}
	need := d.least + 2*reserved // a reply goes to the log and to a table
	if d.loose {
		need += d.least - d.begun // until the ballast is there again
	}
	if d.free-d.written.Load() < need {
		return fmt.Errorf("pebblestore: %s has %d MB left, new claims need %d MB free (make room on the disk, or purge): %w", d.dir, d.free>>20, need>>20, store.ErrFull)
	}
	return nil
}
