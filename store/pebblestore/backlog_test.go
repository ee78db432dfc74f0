package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// tableless is a file system on which no table can be made: it answers so, or it does not answer until hold is closed.
type tableless struct {
	vfs.FS
	refuse  atomic.Bool
	hold    chan struct{}
	flushed atomic.Bool // Pebble has said that it flushes
}

func (f *tableless) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") {
		if c == flushCategory {
			f.flushed.Store(true)
		}
		if f.hold != nil {
			<-f.hold
		}
		if f.refuse.Load() {
			return nil, errRefused
		}
	}
	return f.FS.Create(name, c)
}

func beginTableless(t *testing.T, c Config, f *tableless) *Store {
	t.Helper()
	clock := &settable{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	c.Bucket, c.Clock, c.Logf, c.fs, c.tables = testBucket, clock.now, func(string, ...any) {}, f, 64<<10
	s, err := Open("store", c)
	if err != nil {
		t.Fatal(err)
	}
	clocks.Store(s, clock)
	return s
}

// within fails if what is called does not come back.
func within(t *testing.T, what string, call func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not come back", what)
		return nil
	}
}

// While tables cannot be written, new claims are refused before memory is full, what was accepted is completed, and every call comes back. Afterwards all is as before.
func TestTablesThatCannotBeWritten(t *testing.T) {
	mem := vfs.NewCrashableMem()
	f := &tableless{FS: mem}
	full, end := context.WithCancel(t.Context())
	var filling atomic.Bool
	s := beginTableless(t, Config{reach: func(point string) {
		if point == "backlog" && filling.Load() {
			end()
		}
	}}, f)
	old, left := identity("old", 0), identity("left", 0)
	finish(t, s, old, 1)
	claim := func(who store.Identity) error {
		return within(t, "Claim", func(ctx context.Context) error { _, err := s.Claim(ctx, claimOf(who, tokenOf(1))); return err })
	}
	advance := func(q store.AdvanceRequest) error {
		return within(t, "Advance", func(ctx context.Context) error { _, err := s.Advance(ctx, q); return err })
	}
	if err := claim(left); err != nil {
		t.Fatal(err)
	}
	clockOf(s).move(testWindow + testGuard + 2*testBucket)
	f.refuse.Store(true)
	var accepted []store.Identity
	for n := 0; ; n++ {
		who := identity(fmt.Sprint(n), 0)
		err := claim(who)
		if err == nil && n < 10_000 {
			accepted = append(accepted, who)
			continue
		}
		if !errors.Is(err, store.ErrFull) || !errors.Is(err, errRefused) {
			t.Fatalf("claim %d: %v; want ErrFull, and why", n, err)
		}
		break
	}
	t.Logf("refused after %d claims", len(accepted))
	if !f.flushed.Load() {
		t.Errorf("Pebble does not call a flush %q any more: merges give way to nothing", flushCategory)
	}
	done := append(accepted[:len(accepted)/8:len(accepted)/8], left)
	for _, who := range done {
		if err := advance(completeOf(who, tokenOf(1), who.Key)); err != nil {
			t.Fatalf("completing %s: %v", who.Key, err)
		}
	}
	for what, call := range map[string]func(context.Context) error{
		"Get":   func(ctx context.Context) error { _, err := s.Get(ctx, old); return err },
		"Seal":  func(ctx context.Context) error { _, err := s.Seal(ctx, "orders", 1); return err },
		"Purge": func(ctx context.Context) error { _, err := s.Purge(ctx, store.PurgeRequest{Limit: 10}); return err },
		"Stats": func(ctx context.Context) error { _, err := s.Stats(ctx, ""); return err },
		"List": func(ctx context.Context) error {
			_, err := s.List(ctx, store.ListRequest{Class: store.ClassUnknown, Limit: 10})
			return err
		},
		"Claim": func(ctx context.Context) error { _, err := s.Claim(ctx, claimOf(done[0], tokenOf(2))); return err }, // a replay
	} {
		if err := within(t, what, call); err != nil {
			t.Errorf("%s while tables cannot be written: %v", what, err)
		}
	}
	last := accepted[len(accepted)-1]
	filling.Store(true)
	for n := 0; ; n++ { // memory fills up all the same
		now := store.TimeOf(clockOf(s).now())
		q := store.AdvanceRequest{Identity: last, Token: tokenOf(1), Op: store.OpExtend, Lease: time.Minute + time.Duration(n)*time.Second, ValidUntil: now + 1000}
		err := within(t, "Advance", func(context.Context) error { _, err := s.Advance(full, q); return err })
		if err == nil && n < 100_000 {
			continue
		}
		if !errors.Is(err, errRefused) || !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrFull) {
			t.Fatalf("extending %d times: %v; want the end of its context, and why, and no ErrFull: a reply would be given up", n, err)
		}
		break
	}
	f.refuse.Store(false)
	for {
		s.backlog.mu.Lock()
		turn := s.backlog.turn
		s.backlog.mu.Unlock()
		if err := claim(last); err != nil {
			t.Fatal(err) // a claim of what is there writes nothing
		}
		err := claim(identity("new", 0))
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrFull) {
			t.Fatal(err)
		}
		<-turn
	}
	if err := within(t, "Close", func(context.Context) error { return s.Close() }); err != nil {
		t.Error(err)
	}
	after := again(t, s, mem)
	defer after.Close()
	sound(t, after)
	for _, who := range done {
		if a, err := after.Get(t.Context(), who); err != nil || a.Verdict != store.Replay {
			t.Errorf("%s afterwards: %v, %v", who.Key, a.Verdict, err)
		}
	}
}

// A store closes while its tables cannot be written, and finds everything when it is opened on a disk that can.
func TestCloseWhileTablesCannotBeWritten(t *testing.T) {
	mem := vfs.NewCrashableMem()
	f := &tableless{FS: mem}
	s := beginTableless(t, Config{}, f)
	f.refuse.Store(true)
	n := 0
	for ; n < 10_000; n++ {
		if _, err := s.Claim(t.Context(), claimOf(identity(fmt.Sprint(n), 0), tokenOf(1))); err != nil {
			break
		}
	}
	if err := within(t, "Close", func(context.Context) error { return s.Close() }); err != nil {
		t.Error(err)
	}
	after := again(t, s, mem)
	defer after.Close()
	sound(t, after)
	if st, err := after.Stats(t.Context(), "orders"); err != nil || st.Started+st.Unknown != int64(n) {
		t.Errorf("%d records, %v; want %d", st.Started+st.Unknown, err, n)
	}
}

// Who waits for tables that are slow holds no lock, and goes when his time is up.
func TestSlowTablesKeepDeadlines(t *testing.T) {
	f := &tableless{FS: vfs.NewCrashableMem(), hold: make(chan struct{})}
	var s *Store
	ctx, cancel := context.WithCancel(t.Context())
	waits := 0
	s = beginTableless(t, Config{reach: func(point string) {
		if point == "backlog" {
			waits++
			if gate := &s.find("orders").gate; !gate.TryLock() {
				t.Error("who waits keeps a seal waiting")
			} else {
				gate.Unlock()
			}
			if locked(s) != 0 {
				t.Error("who waits has a record locked")
			}
			cancel()
		}
	}}, f)
	var err error
	for n := 0; err == nil && n < 10_000; n++ {
		err = within(t, "Claim", func(context.Context) error {
			_, err := s.Claim(ctx, claimOf(identity(fmt.Sprint(n), 0), tokenOf(1)))
			return err
		})
	}
	if !errors.Is(err, context.Canceled) || waits != 1 {
		t.Errorf("a claim that waits for tables: %v, %d waited; want the end of its context", err, waits)
	}
	if a, err := s.Get(t.Context(), identity("0", 0)); err != nil || a.Record.State != store.Started {
		t.Errorf("a read meanwhile: %v, %v", a.Verdict, err)
	}
	close(f.hold)
	if err := within(t, "Claim", func(context.Context) error {
		_, err := s.Claim(t.Context(), claimOf(identity("new", 0), tokenOf(1)))
		return err
	}); err != nil {
		t.Errorf("a claim once tables are written: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	after := again(t, s, f.FS)
	defer after.Close()
	sound(t, after)
}

// Who waits for tables hears of it when the store fails: no flush would end any more.
func TestFailureEndsTheWaitForTables(t *testing.T) {
	f := &tableless{FS: vfs.NewCrashableMem(), hold: make(chan struct{})}
	defer close(f.hold)
	var s *Store
	failed := false
	s = beginTableless(t, Config{reach: func(point string) {
		if point != "backlog" || failed {
			return
		}
		failed = true
		var err error
		defer s.recoverFatal(&err)
		panic(fatal("the log cannot be written"))
	}}, f)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var err error
	for n := 0; err == nil && n < 10_000; n++ {
		_, err = s.Claim(ctx, claimOf(identity(fmt.Sprint(n), 0), tokenOf(1)))
	}
	if !errors.Is(err, ErrFailed) {
		t.Errorf("a claim that waited when the store failed: %v; want ErrFailed", err)
	}
	if _, err := s.Seal(t.Context(), "orders", 1); !errors.Is(err, ErrFailed) {
		t.Errorf("a seal then: %v; want ErrFailed", err)
	}
}
