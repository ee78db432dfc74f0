package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// Durations of the cases. Nothing in a case depends on how fast the store is: what must live has a long lease.
const (
	long      = time.Hour
	window    = 24 * time.Hour
	guard     = 5 * time.Minute
	patience  = time.Minute           // after which a call that hangs has failed
	setShort  = 10 * time.Second      // of a lease that shall lapse, when the clock can be set
	realShort = 20 * time.Millisecond // and when it cannot
)

// world is one store under one case.
type world struct {
	testing.TB
	h      Harness
	store  store.Store
	ctx    context.Context
	short  time.Duration
	minted uint64
}

func newWorld(t testing.TB, h Harness) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &world{TB: t, h: h, ctx: ctx, short: realShort}
	if h.Advance != nil {
		w.short = setShort
	}
	t.Cleanup(func() {
		if w.store == nil {
			return
		}
		if err := w.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	w.open(h.New)
	return w
}

// open replaces the world's store.
func (w *world) open(with func(testing.TB) store.Store) {
	w.Helper()
	if w.store != nil {
		if err := w.store.Close(); err != nil {
			w.Errorf("Close: %v", err)
		}
		w.store = nil
	}
	if w.store = with(w.TB); w.store == nil {
		w.Fatal("the harness opened no store")
	}
}

// again puts the store through Reopen or Crash.
func (w *world) again(with func(testing.TB, store.Store) store.Store) {
	w.Helper()
	old := w.store
	w.store = nil
	if w.store = with(w.TB, old); w.store == nil {
		w.Fatal("the harness opened no store")
	}
}

// now is the store's clock.
func (w *world) now() store.Time {
	w.Helper()
	return w.get(identity("clock", "nobody", "never used", 0)).Now
}

// pass lets d go by on the store's clock.
func (w *world) pass(d time.Duration) {
	w.Helper()
	until := w.now().Add(d)
	if w.h.Advance != nil {
		w.h.Advance(w.TB, w.store, d)
		if now := w.now(); now < until {
			w.Fatalf("Harness.Advance(%v) left the store's clock %v short", d, until.Sub(now))
		}
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for w.now() < until {
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.Fatal("the store's clock stands still and Harness.Advance is nil: give it")
		}
	}
}

// lapse lets every short lease lapse, and no long one.
func (w *world) lapse() { w.Helper(); w.pass(w.short) }

// token draws a token that no other operation of this case has.
func (w *world) token() store.Token {
	w.minted++
	return tokenOf(w.minted)
}

func tokenOf(n uint64) (t store.Token) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("token"), n))
	copy(t[:], sum[:])
	return t
}

// key mints an unstamped key.
func (w *world) key() store.Identity { return w.stamped(0) }

// stamped mints a key with a stamp.
func (w *world) stamped(at store.Time) store.Identity {
	w.minted++
	return identity("orders", "alice", fmt.Sprintf("key-%d", w.minted), at)
}

func identity(service, principal, key string, stamp store.Time) store.Identity {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", service, principal, key))
	return store.Identity{ID: sum, Service: service, Principal: principal, Key: key, Stamp: stamp}
}

// print makes a fingerprint in the given version of the recipe.
func print(version uint8, request string) store.Fingerprint {
	return store.Fingerprint{Version: version, Sum: sha256.Sum256(fmt.Appendf(nil, "%d %s", version, request))}
}
