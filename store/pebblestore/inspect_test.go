package pebblestore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

func TestVerifyTellsWhatIsThere(t *testing.T) {
	dir := made(t)
	for name, look := range map[string]func(string) (Report, error){"Inspect": Inspect, "Verify": Verify} {
		r, err := look(dir)
		if err != nil || len(r.Services) != 1 || len(r.Faults) != 0 {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		if s := r.Services[0]; s.Name != "orders" || s.Stats.Done != 100 || s.Stats.Started != 0 || s.Buckets != 2 {
			t.Errorf("%s: %+v", name, s)
		}
		if read := map[string]int64{"Inspect": 0, "Verify": 100}[name]; r.Records != read {
			t.Errorf("%s read %d records, want %d", name, r.Records, read)
		}
		if r.Files < 10_000 || r.Format != 1 || r.Bucket != DefaultBucket {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Looking changes nothing, and a directory that is none is not made one.
func TestInspectRefuses(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if _, err := Inspect(dir); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "give the directory") {
			t.Errorf("Inspect of what is no store: %v", err)
		}
	}
	dir := made(t)
	s, err := Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Inspect(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("Inspect of a directory in use: %v; want ErrInUse", err)
	}
}

// What does not fit together is named: one key after the other is taken away.
func TestVerifyFindsWhatDoesNotFit(t *testing.T) {
	for tag, want := range map[byte]string{'r': "are counted", 'u': "are counted", 'o': "missing in its index", 'p': "missing in its index", 'c': "are counted", 'd': "missing in its index", 'a': "differ by"} {
		dir := odd(t)
		s, err := Open(dir, small)
		if err != nil {
			t.Fatal(err)
		}
		lower, upper := span([]byte{tag})
		if err := errors.Join(s.db.DeleteRange(lower, upper, pebble.Sync), s.Close()); err != nil {
			t.Fatal(err)
		}
		r, err := Verify(dir)
		if err != nil || !strings.Contains(strings.Join(r.Faults, "\n"), want) {
			t.Errorf("without the keys of %c: %q, %v; want %q", tag, r.Faults, err, want)
		}
	}
}

// odd has records in every index.
func odd(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	s, err := Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	filled(t, s, 2)
	for n, start := range []bool{true, false} {
		q := claimOf(identity([]string{"claimed", "started"}[n], 0), tokenOf(9))
		q.Start = start
		if _, err := s.Claim(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	late := identity("attic", 0)
	if _, err := s.Claim(t.Context(), claimOf(late, tokenOf(9))); err != nil {
		t.Fatal(err)
	}
	q := completeOf(late, tokenOf(9), "long")
	q.Window = 100 * DefaultBucket
	if _, err := s.Advance(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
