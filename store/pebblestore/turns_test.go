package pebblestore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// While a purge is under way, a listing and a second purge wait for it, but not beyond their deadlines.
func TestUpkeepKeepsDeadlines(t *testing.T) {
	var s *Store
	waited := false
	s = begin(t, Config{Bucket: testBucket, reach: func(point string) {
		if point != "removed" {
			return
		}
		waited = true
		for what, call := range map[string]func(context.Context) error{
			"List": func(ctx context.Context) error {
				_, err := s.List(ctx, store.ListRequest{Class: store.ClassUnknown, Limit: 1})
				return err
			},
			"Purge": func(ctx context.Context) error { _, err := s.Purge(ctx, store.PurgeRequest{Limit: 1}); return err },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- call(ctx) }()
			select {
			case err := <-done:
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s beside a purge: %v; want that its deadline is over", what, err)
				}
			case <-time.After(5 * time.Second):
				t.Errorf("%s waits beyond its deadline", what)
			}
		}
	}})
	defer s.Close()
	finish(t, s, identity("old", 0), 1)
	clockOf(s).move(testWindow + testGuard + 2*testBucket)
	if res, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 10}); err != nil || res.Removed != 1 || !waited {
		t.Fatal(res, err, waited)
	}
	if _, err := s.List(t.Context(), store.ListRequest{Class: store.ClassUnknown, Limit: 1}); err != nil {
		t.Error(err)
	}
}

// Several share, one alone waits for all of them, and one that gives up leaves nothing taken.
func TestTurns(t *testing.T) {
	u := newTurns()
	within := func(d time.Duration, call func(context.Context, <-chan struct{}) error, closing chan struct{}) error {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		return call(ctx, closing)
	}
	const short, long = 10 * time.Millisecond, 5 * time.Second // until nobody comes any more; for what comes at once, on a busy machine too
	for range 2 {
		if err := within(long, u.share, nil); err != nil {
			t.Fatalf("sharing: %v", err)
		}
	}
	closing := make(chan struct{})
	if err := within(short, u.take, closing); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("alone beside two: %v", err)
	}
	u.leave()
	close(closing)
	if err := within(long, u.take, closing); !errors.Is(err, store.ErrClosed) {
		t.Errorf("alone beside one, while the store closes: %v", err)
	}
	u.leave()
	for range 2 {
		if err := within(long, u.take, closing); err != nil {
			t.Fatalf("alone: %v; those that gave up have left something taken", err)
		}
		if err := within(short, u.share, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sharing beside one alone: %v", err)
		}
		u.give()
	}
}
