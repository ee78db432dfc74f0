//go:build unix

package pebblestore

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A folder has one lock, whatever it is called: a second Open is refused, and a look at it takes nothing from the store that is open.
func TestOneFolderHasOneLock(t *testing.T) {
	dir := made(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(dir), link); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: this system has no symbolic links: %v", err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{dir, dir + "/.", filepath.Join(link, "store"), relative}
	for _, first := range names {
		s, err := Open(first, small)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range names {
			if second, err := Open(other, small); !errors.Is(err, ErrInUse) {
				t.Errorf("Open of %s beside %s: %v; want ErrInUse", other, first, err)
				if err == nil {
					_ = second.Close()
				}
			}
			if _, err := Inspect(other); !errors.Is(err, ErrInUse) {
				t.Errorf("Inspect of %s beside %s: %v; want ErrInUse", other, first, err)
			}
		}
		if !heldBy(t, dir) {
			t.Errorf("beside %s: another process gets the lock", first)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if heldBy(t, dir) {
		t.Error("after Close another process does not get the lock")
	}
}

// heldBy asks another process whether the folder is in use.
func heldBy(t *testing.T, dir string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "PEBBLESTORE_LOOK_AT="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Contains(string(out), ErrInUse.Error())
}
