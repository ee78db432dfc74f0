package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward/store"
)

var closeCases = []Case{
	{"X5_closed_is_closed", x5},
	{"X5_close_leaves_nobody_waiting", x5Wait},
}

func x5(w *world) {
	r := w.claimed()
	traits := w.store.Traits()
	for range 2 {
		if err := w.store.Close(); err != nil {
			w.Errorf("Close: %v", err)
		}
	}
	ctx, s, who := w.ctx, w.store, r.Identity
	for name, call := range map[string]func() error{
		"Claim":   func() error { _, err := s.Claim(ctx, claimRequest(who, w.token())); return err },
		"Advance": func() error { _, err := s.Advance(ctx, advanceRequest(store.OpComplete, who, r.Token)); return err },
		"Wait":    func() error { return s.Wait(ctx, who, 99) },
		"Decide":  func() error { _, err := s.Decide(ctx, decideRequest(store.Cancel, who, w.token())); return err },
		"Get":     func() error { _, err := s.Get(ctx, who); return err },
		"List": func() error {
			_, err := s.List(ctx, store.ListRequest{Class: store.ClassOpen, Limit: 1})
			return err
		},
		"Trail": func() error { _, err := s.Trail(ctx, store.TrailRequest{Limit: 1}); return err },
		"Seal":  func() error { _, err := s.Seal(ctx, "orders", 1); return err },
		"Purge": func() error { _, err := s.Purge(ctx, store.PurgeRequest{Limit: 1}); return err },
		"Stats": func() error { _, err := s.Stats(ctx, ""); return err },
	} {
		if err := call(); !errors.Is(err, store.ErrClosed) {
			w.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
	expect(w, "the name in Traits after Close", s.Traits().Name, traits.Name)
}

func x5Wait(w *world) {
	r := w.claimed()
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	woken := make(chan error, 1)
	go func() { woken <- w.store.Wait(ctx, r.Identity, r.Version) }()
	time.Sleep(time.Millisecond) // it most likely sleeps now; if not, it finds the store closed
	if err := w.store.Close(); err != nil {
		w.Errorf("Close: %v", err)
	}
	select {
	case err := <-woken:
		if ctx.Err() != nil {
			w.Errorf("a waiter of a closed store slept until its own end: %v", err)
		}
	case <-time.After(3 * time.Second):
		w.Error("the store was closed, and a waiter was left waiting")
	}
}
