//go:build linux

package pebblestore

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// A disk that fills up refuses new claims in time; what is accepted is completed and replayed, also when somebody else takes the last byte; and nothing is lost.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 64<<20)
	c := small
	c.MinFree, c.Logf = 6<<20, t.Logf
	clock := &settable{t: time.Now()}
	c.Clock = clock.now
	s, err := Open(filepath.Join(dir, "store"), c)
	if err != nil {
		t.Fatal(err)
	}
	var accepted, done []store.Identity
	for n := 0; ; n++ {
		if n == 100_000 {
			t.Fatal("the disk does not fill up")
		}
		who := identity(fmt.Sprint(n), 0)
		_, err := s.Claim(t.Context(), claimOf(who, tokenOf(0)))
		if errors.Is(err, store.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n%50 == 0 {
			accepted = append(accepted, who)
			continue
		}
		if _, err := s.Advance(t.Context(), completeOf(who, tokenOf(0), noise(n))); err != nil {
			t.Fatal(err)
		}
		done = append(done, who)
	}
	t.Logf("full after %d done and %d open records", len(done), len(accepted))
	half := len(accepted) / 2
	complete := func(all []store.Identity, times int) {
		t.Helper()
		for n, who := range all {
			if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(0), strings.Repeat(noise(n), times))); err != nil || a.Verdict != store.Applied {
				t.Fatalf("completing on a full disk: %v, %v", a.Verdict, err)
			}
			done = append(done, who)
		}
	}
	complete(accepted[:half], 1)
	var fillers []string
	fill := func() { // somebody else takes all that is left
		fillers = append(fillers, filler(t, dir, fmt.Sprint("filler", len(fillers))))
	}
	for n := half; n < len(accepted); n++ {
		if !s.disk.isLoose() {
			fill() // what Pebble has freed meanwhile, too
		}
		complete(accepted[n:n+1], 6)
	}
	if a, err := s.Claim(t.Context(), claimOf(done[0], tokenOf(1))); err != nil || a.Verdict != store.Replay {
		t.Errorf("a replay on a full disk: %v, %v", a.Verdict, err)
	}
	if !s.disk.isLoose() {
		t.Error("the ballast was not needed; the test proves too little")
	}
	err = nil
	for n := 0; err == nil && n < 100; n++ { // until Pebble has freed all that it will
		fill()
		s.disk.mu.Lock()
		s.disk.looked = time.Time{}
		s.disk.mu.Unlock()
		_, err = s.Claim(t.Context(), claimOf(identity(fmt.Sprint("new", n), 0), tokenOf(1)))
	}
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("a claim on a full disk: %v; want ErrFull", err)
	}
	for _, name := range fillers {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if s.failure.Load() != nil {
		t.Errorf("the store has failed: %v", *s.failure.Load())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s, err = Open(filepath.Join(dir, "store"), c); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sound(t, s)
	for _, who := range done {
		if a, err := s.Get(t.Context(), who); err != nil || a.Verdict != store.Replay {
			t.Fatalf("%s after all: %v, %v", who.Key, a.Verdict, err)
		}
	}
	clock.move(3 * time.Hour) // a purge makes room
	if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1_000_000}); err != nil || res.Removed != len(done) {
		t.Errorf("removed %d, %v; want %d", res.Removed, err, len(done))
	}
}

// A write that finds the disk full gets the ballast's room, and new claims have none until the ballast is there again.
func TestBallastIsGivenUp(t *testing.T) {
	dir := smallDisk(t, 16<<20)
	d, err := newDisk(vfs.Default, dir, 2<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.refuse(0); err != nil || d.loose {
		t.Fatalf("on an empty disk: %v, ballast given up: %v", err, d.loose)
	}
	filler(t, dir, "filler")
	f, err := d.watch(vfs.Default).Create(filepath.Join(dir, "log"), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, 1<<20)); err != nil || !d.loose {
		t.Errorf("a write on a full disk: %v, ballast given up: %v", err, d.loose)
	}
	if err := d.refuse(0); !errors.Is(err, store.ErrFull) {
		t.Errorf("a claim after it: %v; want ErrFull", err)
	}
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
	if err := d.setAside(t.Context(), nil, 4*d.least); err != nil || d.loose {
		t.Errorf("once there is room: %v, ballast given up: %v", err, d.loose)
	}
	if err := d.refuse(0); err != nil {
		t.Errorf("a claim then: %v", err)
	}
}

func (d *disk) isLoose() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.loose
}

// noise is a reply that does not compress.
func noise(n int) string {
	b := make([]byte, 0, 3000)
	for i := range 94 {
		id := identity(fmt.Sprint(n, i), 0).ID
		b = append(b, id[:]...)
	}
	return string(b)
}

// filler writes a file that takes what is free now, and no more: what the store gives up meanwhile is not for others.
func filler(t *testing.T, dir, file string) string {
	t.Helper()
	usage, err := vfs.Default.GetDiskUsage(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, file)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for left := int(usage.AvailBytes); left > 0 && err == nil; left -= len(block) {
		_, err = f.Write(block[:min(left, len(block))])
	}
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return name
}

func TestReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t, 64<<20)
	s, err := Open(filepath.Join(dir, "store"), small)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: this system lets nobody remount: %v: %s", err, out)
	}
	wantOpen(t, filepath.Join(dir, "store"), ErrReadOnly, "mounted for writing")
	wantOpen(t, filepath.Join(dir, "other"), ErrReadOnly, "mounted for writing")
}

// smallDisk is a file system of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root mounts a small disk")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=700", size), "onceward", dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: this system lets nobody mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}
