//go:build unix

package pgstore

import (
	"errors"
	"fmt"
	"os"
	command "os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// A full disk refuses new claims with ErrFull, for certain, and goes on with replays.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	server := pgtest.Own(t, pgtest.Config{})
	pool := open(t, server.URL("postgres"))
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	exec(t, pool, fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", smallDisk(t, server)))
	exec(t, pool, "ALTER TABLE onceward.records SET TABLESPACE small")
	s, err := New(t.Context(), pool, Config{})
	if err != nil {
		t.Fatal(err)
	}
	kept := identity("first", 0)
	var full error
	for n := 0; full == nil; n++ {
		if n == 100_000 {
			t.Fatal("the disk does not fill up")
		}
		who := kept
		if n > 0 {
			who = identity(fmt.Sprint("key ", n), 0)
		}
		a, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
		if err == nil {
			want(t, a, nil, store.Granted)
			_, err = s.Advance(t.Context(), completeOf(who, tokenOf(1), fmt.Sprintf("%03000d", n)))
		}
		full = err
	}
	if !errors.Is(full, store.ErrFull) {
		t.Errorf("a full disk: %v; want ErrFull", full)
	}
	for n := 0; ; n++ { // the page that had room for an open record may have room for more
		who := identity(fmt.Sprint("late ", n), 0)
		if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
			if !errors.Is(err, store.ErrFull) {
				t.Errorf("Claim on a full disk: %v; want ErrFull", err)
			}
			a, err := s.Get(t.Context(), who)
			want(t, a, err, store.Absence)
			break
		}
	}
	a, err := s.Claim(t.Context(), claimOf(kept, tokenOf(2)))
	want(t, a, err, store.Replay)
}

// smallDisk is a file system of 2 MB that the server may write to.
func smallDisk(t *testing.T, server *pgtest.Server) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root mounts a small disk")
	}
	info, err := os.Stat(server.DataDir())
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	dir := filepath.Join(server.SocketDir(), "small") // a folder that its account may enter
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := command.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=2m,mode=700,uid=%d,gid=%d", owner.Uid, owner.Gid), "onceward", dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: this system lets nobody mount: %v: %s", err, out)
	}
	t.Cleanup(func() { // the server still has files open there
		if out, err := command.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}
