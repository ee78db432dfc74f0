package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward/store"
)

var waitCases = []Case{
	{"W1_another_version_returns_at_once", w1},
	{"W1_absent_returns_at_once", w1Absent},
	{"W2_every_change_wakes_or_nothing_does", w2},
	{"W2_ends_with_its_context", w2Context},
}

func w1(w *world) {
	done := w.done()
	for _, r := range []store.Record{w.claimed(), done} {
		for _, version := range []uint64{0, r.Version - 1, r.Version + 1} {
			if err := w.store.Wait(w.ctx, r.Identity, version); err != nil {
				w.Errorf("Wait for another version than %d of a record at %d: %v", version, r.Version, err)
			}
		}
	}
}

func w1Absent(w *world) {
	for _, version := range []uint64{0, 1, 7} {
		if err := w.store.Wait(w.ctx, w.key(), version); err != nil {
			w.Errorf("Wait for an absent record: %v", err)
		}
	}
}

// w2 lets many wait and then changes the record, in every way in which a waiter's fate is decided.
func w2(w *world) {
	changes := []func(r store.Record){
		func(r store.Record) { w.want(w.advance(store.OpComplete, r.Identity, r.Token), store.Applied) },
		func(r store.Record) { w.want(w.advance(store.OpRelease, r.Identity, r.Token), store.Applied) },
		func(r store.Record) { w.want(w.advance(store.OpYield, r.Identity, r.Token), store.Applied) },
		func(r store.Record) { w.want(w.advance(store.OpStart, r.Identity, r.Token), store.Applied) },
	}
	for _, change := range changes {
		r := w.claimed()
		ctx, cancel := context.WithCancel(w.ctx)
		const waiters = 20
		woken := make(chan error, waiters)
		for range waiters {
			go func() { woken <- w.store.Wait(ctx, r.Identity, r.Version) }()
		}
		time.Sleep(time.Millisecond) // most of them are asleep now; whoever is not finds the change by W1
		change(r)
		if !w.h.Traits.Notifies {
			cancel() // nobody is woken, so the context's end must free them
		}
		for range waiters {
			w.wantWoken(woken)
		}
		cancel()
	}
}

func (w *world) wantWoken(woken <-chan error) {
	w.Helper()
	select {
	case err := <-woken:
		if err == nil || !w.h.Traits.Notifies && errors.Is(err, context.Canceled) {
			return
		}
		w.Errorf("Wait: %v", err)
	case <-time.After(3 * time.Second):
		w.Fatal("the record has changed, and a waiter was not woken")
	}
}

func w2Context(w *world) {
	r := w.claimed()
	ended, cancel := context.WithCancel(w.ctx)
	cancel()
	if err := w.store.Wait(ended, r.Identity, r.Version); !errors.Is(err, context.Canceled) {
		w.Errorf("Wait with an ended context: %v, want its error", err)
	}
	ctx, cancel := context.WithTimeout(w.ctx, realShort)
	defer cancel()
	if err := w.store.Wait(ctx, r.Identity, r.Version); !errors.Is(err, context.DeadlineExceeded) {
		w.Errorf("Wait for a record that does not change: %v, want the context's error", err)
	}
}
