package pebblestore

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/onceward/onceward/store"
)

var update = flag.Bool("update", false, "write the directory of the golden format anew")

// A directory that the first version of the format has written is opened, found sound, and served from. It is never written anew for the same format.
func TestFormatOneIsRead(t *testing.T) {
	golden := filepath.Join("testdata", "format1")
	if *update {
		made := odd(t)
		s, err := Open(made, small)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.db.Flush(), s.Close(), os.CopyFS(golden, os.DirFS(made))); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(golden, ballastName)); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(dir, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(dir)
	if err != nil || len(r.Faults) > 0 || r.Records != 7 || len(r.Services) != 1 || r.Services[0].Stats.Done != 5 {
		t.Fatalf("%+v, %v", r, err)
	}
	s, err := Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for key, want := range map[string]store.Verdict{"claimed": store.Unknown, "started": store.Lapsed, "attic": store.Replay, "none": store.Absence} {
		if a, err := s.Get(t.Context(), identity(key, 0)); err != nil || a.Verdict != want {
			t.Errorf("%s: %v, %v; want %v", key, a.Verdict, err, want)
		}
	}
	if a, err := s.Advance(t.Context(), completeOf(identity("claimed", 0), tokenOf(9), "late")); err != nil || a.Verdict != store.Applied {
		t.Errorf("the owner of an open record: %v, %v", a.Verdict, err)
	}
}
