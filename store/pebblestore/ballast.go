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

// setAside sets the ballast aside, if there is none and so many bytes are free. That may take seconds, in which nothing is locked. It ends early, without a ballast,
// if ctx ends, or closing is closed, or a write finds the disk full meanwhile.
func (d *disk) setAside(ctx context.Context, closing <-chan struct{}, room int64) error {
	d.mu.Lock()
	loose, given := d.loose, d.given
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
	if info, err := d.fs.Stat(d.ballast()); err == nil && info.Size() >= d.least {
		return d.tight(given)
	}
	if int64(usage.AvailBytes) < room {
		return nil
	}
	goOn := func() bool {
		select {
		case <-closing:
			return false
		default:
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		return ctx.Err() == nil && d.given == given
	}
	whole, err := d.writeBallast(goOn)
	if whole && err == nil {
		return d.tight(given)
	}
	if errors.Is(err, syscall.ENOSPC) { // somebody was faster
		err = nil
	}
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
	d.loose, d.looked = false, time.Time{}
	return nil
}

// writeBallast writes noise, for zeros would take no room on a file system that compresses, and known bytes none on one that keeps equal blocks once.
func (d *disk) writeBallast(goOn func() bool) (whole bool, err error) {
	var seed [32]byte
	if _, err := cryptorand.Read(seed[:]); err != nil {
		return false, err
	}
	noise := rand.NewChaCha8(seed)
	file, err := d.fs.Create(d.ballast(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return false, err
	}
	block := make([]byte, ballastBlock)
	for left := d.least; left > 0 && err == nil; left -= ballastBlock {
		if !goOn() {
			return false, file.Close()
		}
		_, _ = noise.Read(block) // never fails
		_, err = file.Write(block[:min(left, ballastBlock)])
	}
	if err == nil {
		err = file.Sync()
	}
	return err == nil, errors.Join(err, file.Close())
}
