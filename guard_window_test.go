package onceward_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// aged is a store whose clock the test moves.
type aged struct {
	*memstore.Store
	t    *testing.T
	off  atomic.Int64
	runs atomic.Int64
}

func newAged(t *testing.T) *aged {
	a := &aged{t: t}
	a.Store = memstore.New(memstore.Config{Clock: a.now})
	return a
}

func (a *aged) now() time.Time       { return time.Now().Add(time.Duration(a.off.Load())) }
func (a *aged) pass(d time.Duration) { a.off.Add(int64(d)) }
func (a *aged) mint(ago time.Duration) onceward.Key {
	a.t.Helper()
	key, err := onceward.TypeID{Clock: func() time.Time { return a.now().Add(-ago) }}.Mint()
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// guard is a server on the store with a window of its own, as after a reload.
func (a *aged) guard(window time.Duration) *onceward.Guard {
	a.t.Helper()
	g, err := onceward.New(a, onceward.Config{Window: window, MaintainEvery: onceward.NoMaintenance})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		if err := g.Close(ctx); err != nil {
			a.t.Error(err)
		}
	})
	return g
}

// purge expects to remove n records.
func (a *aged) purge(n int) {
	a.t.Helper()
	res, err := a.Purge(ctx, store.PurgeRequest{Limit: n + 1})
	if err != nil || res.Removed != n {
		a.t.Fatalf("purged %+v, %v; want %d", res, err, n)
	}
}

// refused sends the key and expects err and no run.
func (a *aged) refused(g *onceward.Guard, key onceward.Key, err error) {
	a.t.Helper()
	before := a.runs.Load()
	_, got := g.Do(ctx, call(key, "x"), saving(&a.runs))
	wantErr(a.t, got, err)
	if onceward.FateOf(got) != onceward.Unknown {
		a.t.Error("a refusal by age says nothing of earlier sends")
	}
	if a.runs.Load() != before {
		a.t.Error("executed")
	}
}

func TestAKeyOlderThanTheWindowIsRefused(t *testing.T) {
	a := newAged(t)
	g := a.guard(time.Hour)
	a.refused(g, a.mint(time.Hour+time.Minute), onceward.ErrKeyExpired)
	r, err := g.Do(ctx, call(a.mint(59*time.Minute), "x"), saving(&a.runs))
	wantReply(t, r, err, "run 1", false)
}

func TestAPurgedKeyIsRefusedAfterTheWindowWasRaised(t *testing.T) {
	a := newAged(t)
	g, key := a.guard(time.Hour), a.mint(0)
	_, _ = g.Do(ctx, call(key, "x"), saving(&a.runs))
	a.pass(2 * time.Hour)
	a.purge(1)
	a.refused(a.guard(48*time.Hour), key, onceward.ErrKeyExpired)
	r, err := g.Do(ctx, call(a.mint(0), "x"), saving(&a.runs)) // younger keys are not sealed with it
	wantReply(t, r, err, "run 2", false)
}

func TestAPurgedKeyIsRefusedAfterTheClockStepsBack(t *testing.T) {
	a := newAged(t)
	g, key := a.guard(time.Hour), a.mint(0)
	_, _ = g.Do(ctx, call(key, "x"), saving(&a.runs))
	a.pass(2 * time.Hour)
	a.purge(1)
	a.pass(-2 * time.Hour)
	a.refused(g, key, onceward.ErrKeyExpired)
}

func TestAKeyFromTheFutureIsRefusedUntilItsTime(t *testing.T) {
	a := newAged(t)
	g, key := a.guard(time.Hour), a.mint(-onceward.DefaultSkew-time.Minute)
	a.refused(g, key, onceward.ErrKeyFromFuture)
	a.pass(2 * time.Minute) // within the allowance now, and the refusal has left nothing behind
	r, err := g.Do(ctx, call(key, "x"), saving(&a.runs))
	wantReply(t, r, err, "run 1", false)
}

// Late copies arrive while their records are being purged, at a server whose window was raised: each finds its reply or is refused.
func TestAPurgeRacesLateCopies(t *testing.T) {
	const keys = 2000
	a := newAged(t)
	g, raised := a.guard(time.Hour), a.guard(48*time.Hour)
	all := make([]onceward.Key, keys)
	for i := range all {
		all[i] = a.mint(0)
		if _, err := g.Do(ctx, call(all[i], "x"), saving(&a.runs)); err != nil {
			t.Fatal(err)
		}
	}
	a.pass(2 * time.Hour)
	purged := make(chan struct{})
	var copies sync.WaitGroup
	for n := range 2 {
		copies.Go(func() {
			for over := false; !over; {
				select {
				case <-purged:
					over = true // one more round, after the purge
				default:
				}
				for i := range all {
					key := all[(i+n*keys/2)%keys]
					r, err := raised.Do(ctx, call(key, "x"), saving(&a.runs))
					if !errors.Is(err, onceward.ErrKeyExpired) && !r.Replayed {
						t.Errorf("a late copy got %q, %v", r.Reply.Body, err)
						return
					}
				}
			}
		})
	}
	a.purge(keys)
	close(purged)
	copies.Wait()
	if n := a.runs.Load(); n != keys {
		t.Errorf("%d operations ran %d times", keys, n)
	}
}
