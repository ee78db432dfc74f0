package pebblestore

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	ballastName  = "BALLAST"
	ballastBlock = 1 << 20
)

func (d *disk) ballast() string { return d.fs.PathJoin(d.dir, ballastName) }

// setAside sets the ballast aside, if there is none and so many bytes are free. That may take seconds, in which nothing is locked. It ends early
// if ctx ends or closing is closed, and the next call goes on from there; if a write finds the disk full meanwhile, it begins anew.
func (d *disk) setAside(ctx context.Context, closing <-chan struct{}, room int64) error {
	d.mu.Lock()
	loose, given, begun := d.loose, d.given, d.begun
	d.mu.Unlock()
	if !loose {
		return nil
	}
	usage, err := d.fs.GetDiskUsage(d.dir)
	if errors.Is(err, vfs.ErrUnsupported) {
		return d.tight(given)
	}
	if err != nil {
		return err
	}
	info, err := d.fs.Stat(d.ballast())
	if err == nil && info.Size() >= d.least {
		return d.tight(given)
	}
	if err != nil || info.Size() < begun { // somebody has removed it
		begun = 0
	}
	if int64(usage.AvailBytes)+begun < room {
		return d.dropBegun(nil)
	}
	goOn := func() bool {
		select {
		case <-closing:
			return false
		default:
		}
		return ctx.Err() == nil && !d.gaveUp(given)
	}
	written, err := d.writeBallast(begun, goOn)
	switch {
	case err == nil && written == d.least:
		return d.tight(given)
	case err != nil || d.gaveUp(given):
		if errors.Is(err, syscall.ENOSPC) { // somebody was faster
			err = nil
		}
		return d.dropBegun(err)
	}
	return d.keepBegun(given, written)
}

func (d *disk) gaveUp(given int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.given != given
}

// keepBegun leaves the unfinished ballast for the next call, unless it was given up since.
func (d *disk) keepBegun(given int, written int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.given != given {
		_ = d.fs.Remove(d.ballast())
		return nil
	}
	d.begun = written
	return nil
}

// dropBegun removes what there is of a ballast, and adds to err.
func (d *disk) dropBegun(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun = 0
	if removed := d.fs.Remove(d.ballast()); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

// tight notes that the ballast is there, unless it was given up since.
func (d *disk) tight(given int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.given != given {
		_ = d.fs.Remove(d.ballast())
		return nil
	}
	d.loose, d.looked, d.begun = false, time.Time{}, 0
	return nil
}

// writeBallast writes noise, for zeros would take no room on a file system that compresses, and known bytes none on one that keeps equal blocks once. It goes on behind
// what is begun, returns how much there is then, and writes a block even if it should not go on: with each call it comes nearer to the end.
func (d *disk) writeBallast(begun int64, goOn func() bool) (written int64, err error) {
	var seed [32]byte
	if _, err := cryptorand.Read(seed[:]); err != nil {
		return begun, err
	}
	noise := rand.NewChaCha8(seed)
	if begun == 0 { // what a crash has left may have holes
		if err := d.fs.Remove(d.ballast()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	d.filling.Lock()
	defer d.filling.Unlock()
	file, err := d.fs.OpenReadWrite(d.ballast(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return begun, err
	}
	block := make([]byte, ballastBlock)
	for written = begun; written < d.least && err == nil; {
		_, _ = noise.Read(block) // never fails
		n := int(min(d.least-written, ballastBlock))
		if _, err = file.WriteAt(block[:n], written); err == nil {
			written += int64(n)
		}
		if written < d.least && !goOn() {
			return written, errors.Join(err, file.Close())
		}
	}
	if err == nil {
		err = file.Sync()
	}
	return written, errors.Join(err, file.Close())
}
