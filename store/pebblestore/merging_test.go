package pebblestore

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// mergeless is a file system on which merges wait until hold is closed.
type mergeless struct {
	vfs.FS
	hold chan struct{}
}

func (f *mergeless) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") && c != flushCategory {
		<-f.hold
	}
	return f.FS.Create(name, c)
}

// New claims that were refused because merges did not keep up are taken as soon as merges have caught up, though no claim was written since.
func TestClaimsAreTakenOnceMergesHaveCaughtUp(t *testing.T) {
	f := &mergeless{FS: vfs.NewMem(), hold: make(chan struct{})}
	s, err := Open("store", Config{fs: f, Logf: t.Logf, layers: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	claim := func(n int) error {
		_, err := s.Claim(t.Context(), claimOf(identity(fmt.Sprint(n), 0), tokenOf(1)))
		return err
	}
	n := 0
	for ; err == nil && n < 100; n++ {
		if err = claim(n); err == nil {
			err = s.db.Flush()
		}
	}
	close(f.hold)
	if !errors.Is(err, store.ErrFull) || n < 8 {
		t.Fatalf("claim %d while nothing is merged: %v; want ErrFull", n, err)
	}
	if err := s.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil { // it waits for the merges that are under way
		t.Fatal(err)
	}
	if err := claim(101); err != nil {
		t.Errorf("a claim once all is merged: %v", err)
	}
}
