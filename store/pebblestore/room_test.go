package pebblestore

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// A claim that is under way has taken its reply's room already: two at once do not both get the last of it.
func TestClaimsReserveBeforeTheyWrite(t *testing.T) {
	f := &roomy{FS: vfs.NewCrashableMem(), free: 1 << 40}
	var s *Store
	q := claimOf(identity("first", 0), tokenOf(1))
	q.Reserve = 8 << 20
	other := q
	other.Identity = identity("other", 0)
	s, err := Open("store", Config{fs: f, MinFree: 1 << 20, Logf: t.Logf, reach: func(point string) {
		if point != "claim" || other.Key == "" {
			return
		}
		again := other
		other.Key = ""
		if _, err := s.Claim(t.Context(), again); !errors.Is(err, store.ErrFull) {
			t.Errorf("a claim beside another that has the last room: %v; want ErrFull", err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f.free = 1<<20 + 3*8<<20 // for one and a half: a reply goes to the log and to a table
	if a, err := s.Claim(t.Context(), q); err != nil || a.Verdict != store.Granted {
		t.Fatal(a.Verdict, err)
	}
	if n := s.room.reserved.Load(); n != 8<<20 {
		t.Errorf("%d bytes are reserved; want one reply", n)
	}
	if _, err := s.Advance(t.Context(), completeOf(q.Identity, q.Token, "done")); err != nil {
		t.Fatal(err)
	}
	if n := s.room.reserved.Load(); n != 0 {
		t.Errorf("%d bytes are reserved when nothing is open", n)
	}
}

// New claims leave MinFree, and twice the replies of those that are accepted; with the ballast given up, they leave its room too.
func TestClaimsLeaveRoom(t *testing.T) {
	const least = 1 << 20
	f := &roomy{FS: vfs.NewMem(), free: 1 << 40}
	d, err := newDisk(f, "", least)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		loose    bool
		reserved int64
		need     uint64
	}{{false, 0, least}, {false, 5 << 20, least + 10<<20}, {true, 0, 2 * least}} {
		for _, short := range []uint64{0, 1} {
			f.free, d.loose, d.looked = c.need-short, c.loose, time.Time{}
			if err := d.refuse(c.reserved); errors.Is(err, store.ErrFull) != (short > 0) {
				t.Errorf("%d bytes free, %d reserved, ballast given up: %v: %v", f.free, c.reserved, c.loose, err)
			}
		}
	}
}
