package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// With the weaker setting a loss of power forgets the newest steps, and nothing else: the disk keeps a half to nine tenths of what was not synced, here and there,
// and the store is opened again as it was at some moment before. Three times, with whichever setting.
func TestProcessCrashKeepsAPrefix(t *testing.T) {
	torn := 0
	seeds(t, 6, 2000, func(t *testing.T, seed uint64) {
		l := &losing{TB: t, rng: rand.New(rand.NewPCG(seed, 0)), records: map[store.Identity]store.Record{}, sealed: map[string]store.Time{}, tables: 512 << 10, seldom: true}
		l.clock.t = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		disk := vfs.NewCrashableMem()
		for range 3 {
			var moments []moment
			note := func() {
				m := moment{maps.Clone(l.records), l.sealed["orders"]}
				if l.flight != (store.Identity{}) {
					m.records[l.flight] = l.maybe
				}
				moments = append(moments, m)
			}
			l.flight = store.Identity{}
			note()
			l.after, l.durability = note, ProcessCrash
			if l.rng.IntN(4) == 0 {
				l.durability = PowerLoss
			}
			l.fs = newFailing(disk, 1+l.rng.IntN(600), 50+l.rng.IntN(41), l.rng.Uint64())
			l.live()
			disk = l.fs.after()
			if l.durability == PowerLoss {
				moments = moments[max(len(moments)-2, 0):]
			}
			torn += l.lookBack(disk, moments)
			if t.Failed() {
				return
			}
		}
	})
	if t.Logf("%d logs had a hole", torn); torn == 0 && os.Getenv("ONCEWARD_SOAK") != "" {
		t.Error("no log had a hole; the test proves too little")
	}
}

// moment is what a store has, and up to where it is sealed.
type moment struct {
	records   map[store.Identity]store.Record
	watermark store.Time
}

// lookBack opens what the loss has left, and looks for the moment that it shows. It goes on from there.
func (l *losing) lookBack(disk *vfs.MemFS, moments []moment) (torn int) {
	c := l.config(disk)
	c.Logf = func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); strings.Contains(text, "has a hole") {
			torn++
		}
	}
	s, err := Open("store", c)
	if err != nil {
		l.Errorf("open after the loss: %v", err)
		return torn
	}
	defer s.Close()
	sound(l, s)
	have := moment{records: map[store.Identity]store.Record{}}
	for _, m := range moments {
		for who := range m.records {
			if _, seen := have.records[who]; seen {
				continue
			}
			a, err := s.Get(context.Background(), who)
			if err != nil {
				l.Error(err)
			}
			have.records[who], have.watermark = a.Record, a.Watermark
		}
	}
	now := store.TimeOf(l.clock.now())
	for _, m := range moments {
		if have.is(m, now) {
			l.records, l.sealed["orders"] = have.records, have.watermark
			return torn
		}
	}
	l.Errorf("after the loss there is what never was: %d records, watermark %d", len(have.records), have.watermark)
	return torn
}

// is reports whether the store shows that moment, or a purge of it that was under way.
func (m moment) is(was moment, now store.Time) bool {
	if m.watermark < was.watermark {
		return false
	}
	for who, r := range m.records {
		purged := r.State == store.Absent && was.records[who].Purgeable(now) && who.Stamp <= m.watermark
		if !purged && !reflect.DeepEqual(r, was.records[who]) {
			return false
		}
	}
	return true
}

// A hole is damage where the log was synced: it is never taken for what a loss of power may leave.
func TestAHoleIsDamageWhereTheLogWasSynced(t *testing.T) {
	for _, c := range []struct {
		name       string
		durability Durability
		closed     bool
		want       error
	}{
		{"PowerLoss, killed", PowerLoss, false, ErrCorrupt},
		{"PowerLoss, closed", PowerLoss, true, ErrCorrupt},
		{"ProcessCrash, closed", ProcessCrash, true, ErrCorrupt},
		{"ProcessCrash, killed", ProcessCrash, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t, Config{Durability: c.durability, Bucket: testBucket})
			s.config.Logf = t.Logf
			for i := range uint64(200) {
				finish(t, s, identity(fmt.Sprint(i), 0), i)
			}
			disk := s.config.fs.(*vfs.MemFS)
			left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if c.closed {
				left = disk
			}
			hole(t, left, "store")
			config := s.config
			config.fs = left
			after, err := Open("store", config)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("Open: %v; want %v", err, c.want)
			}
			if err != nil {
				return
			}
			defer after.Close()
			sound(t, after)
			if a, err := after.Get(t.Context(), identity("0", 0)); err != nil || a.Verdict != store.Replay {
				t.Errorf("before the hole: %v, %v", a.Verdict, err)
			}
			if a, err := after.Get(t.Context(), identity("199", 0)); err != nil || a.Record.State != store.Absent {
				t.Errorf("behind the hole: %v, %v", a.Verdict, err)
			}
			names, err := left.List("store")
			if kept := strings.Count(strings.Join(names, " "), lostPrefix); err != nil || kept != 1 {
				t.Errorf("%d files of what is lost, %v; want one", kept, err)
			}
		})
	}
}

// Looking at a store with a torn log shows what the next Open will have, and leaves that to it.
func TestInspectLooksPastAHole(t *testing.T) {
	c := small
	c.Durability, c.tables, c.Logf = ProcessCrash, 1<<20, t.Logf
	open, left := t.TempDir(), t.TempDir()
	s, err := Open(open, c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(200) {
		finish(t, s, identity(fmt.Sprint(i), 0), i)
	}
	if err := errors.Join(os.CopyFS(left, os.DirFS(open)), s.Close()); err != nil {
		t.Fatal(err)
	}
	hole(t, vfs.Default, left)
	r, err := Verify(left)
	if err != nil || len(r.Faults) > 0 || r.Records < 50 || r.Records > 150 {
		t.Errorf("%d records, faults %q, %v; want about a half of 200", r.Records, r.Faults, err)
	}
	if kept, err := filepath.Glob(filepath.Join(left, lostPrefix+"*")); err != nil || len(kept) > 0 {
		t.Errorf("looking has written %q, %v", kept, err)
	}
	if s, err = Open(left, c); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Stats(t.Context(), ""); err != nil || st.Done+st.Started != r.Records {
		t.Errorf("opened, it has %d done and %d started records, %v; Verify has read %d", st.Done, st.Started, err, r.Records)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
