package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// Each cut of what is in memory only makes Pebble begin a memtable. With many services they are not begun faster than tables are written, and a purge does not wait for that beyond its deadline.
func TestCutsStayWithinMemory(t *testing.T) {
	f := &tableless{FS: vfs.NewMem(), hold: make(chan struct{})}
	s := beginTableless(t, Config{}, f)
	const services = 30
	for n := range services {
		who := identity("old", 0)
		who.Service = fmt.Sprint("service ", n)
		finish(t, s, who, 1)
	}
	clockOf(s).move(testWindow + testGuard + 2*testBucket)
	err := within(t, "Purge", func(context.Context) error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		res, err := s.Purge(ctx, store.PurgeRequest{Limit: services})
		if res.Removed != services {
			t.Errorf("%d are removed; want %d", res.Removed, services)
		}
		return err
	})
	m := s.db.Metrics()
	t.Logf("%d tables", m.MemTable.Count)
	if size, most := int64(m.MemTable.Size), (waitAt+2)*s.backlog.table; size > most || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d bytes in memory, %v; want at most %d, and that the purge's time is up", size, err, most)
	}
	close(f.hold)
	if _, err := s.Purge(t.Context(), store.PurgeRequest{Limit: services}); err != nil {
		t.Error(err)
	}
	if left := 0; s.scan([]byte{tagRemoved}, func(_, _ []byte) error { left++; return nil }) != nil || left > 0 {
		t.Errorf("%d buckets are not cut out", left)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Nor do marks that are forgotten.
func TestForgettingStaysWithinMemory(t *testing.T) {
	f := &tableless{FS: vfs.NewMem()}
	s := beginTableless(t, Config{}, f)
	now := store.TimeOf(clockOf(s).now())
	const marks = 4000
	for n := range marks {
		q := store.AdvanceRequest{Identity: identity("released", 0), Token: tokenOf(uint64(n)), Op: store.OpRelease, ValidUntil: now + 1000}
		if _, err := s.Advance(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	clockOf(s).move(time.Minute)
	f.refuse.Store(true)
	err := within(t, "Purge", func(context.Context) error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := s.Purge(ctx, store.PurgeRequest{Limit: 1})
		return err
	})
	if size, most := int64(s.db.Metrics().MemTable.Size), (waitAt+2)*s.backlog.table; size > most || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d bytes in memory, %v; want at most %d, and that the purge's time is up", size, err, most)
	}
	f.refuse.Store(false)
	if _, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1}); err != nil || s.marks.Load() != 0 {
		t.Errorf("%d marks are left, %v", s.marks.Load(), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
