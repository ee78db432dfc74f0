package onceward_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/memstore"
)

// A copy under an unstamped key that comes after the window runs again; under a stamped one it is refused.
func TestLimitAnUnstampedLateCopyRunsTwice(t *testing.T) {
	a := newAged(t)
	g, unstamped, stamped := a.guard(time.Hour), call(uuidKey(t), "x"), call(a.mint(0), "x")
	for _, c := range []onceward.Call{unstamped, stamped} {
		if _, err := g.Do(ctx, c, saving(&a.runs)); err != nil {
			t.Fatal(err)
		}
	}
	a.pass(2 * time.Hour)
	a.purge(2)
	runsAgain(t, g, unstamped, &a.runs)
	a.refused(g, stamped.Key, onceward.ErrKeyExpired)
}

// A store's clock that jumps ahead by more than the window makes everything old: new keys are refused until clients have caught up, and
// a purge forgets what is a moment old. Under a stamped key that is safe.
func TestLimitAClockThatJumpsAhead(t *testing.T) {
	a := newAged(t)
	g, unstamped, stamped := a.guard(time.Hour), call(uuidKey(t), "x"), call(a.mint(0), "x")
	for _, c := range []onceward.Call{unstamped, stamped} {
		if _, err := g.Do(ctx, c, saving(&a.runs)); err != nil {
			t.Fatal(err)
		}
	}
	a.pass(2 * time.Hour)
	a.refused(g, a.mint(2*time.Hour), onceward.ErrKeyExpired) // new by the client's clock
	a.purge(2)                                                // as the first one after a start, which cannot notice
	runsAgain(t, g, unstamped, &a.runs)
	a.refused(g, stamped.Key, onceward.ErrKeyExpired)
}

// A cancelled unstamped key is remembered for its window like any other. A copy that comes later runs.
func TestLimitACancelledUnstampedKeyRunsAfterItsWindow(t *testing.T) {
	a := newAged(t)
	g, unstamped, stamped := a.guard(time.Hour), uuidKey(t), a.mint(0)
	for _, key := range []onceward.Key{unstamped, stamped} {
		r, err := g.Cancel(ctx, onceward.Cancellation{Scope: alice, Key: key, Actor: "ops", Reason: "the order was withdrawn"})
		if err != nil || r.SafeNewKey != (key == stamped) {
			t.Fatalf("cancelled: %+v, %v", r, err)
		}
		_, err = g.Do(ctx, call(key, "x"), saving(&a.runs))
		wantErr(t, err, onceward.ErrNotExecuted)
	}
	a.pass(2 * time.Hour)
	a.purge(2)
	runsAgain(t, g, call(unstamped, "x"), &a.runs)
	a.refused(g, stamped, onceward.ErrKeyExpired)
}

// A process that dies in the moment in which the answer to its claim got lost leaves an unknown, although nothing ran.
func TestLimitAKilledProcessLeavesAnUnknownThoughNothingRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		dead, alive, dying := deadAndAlive(t)
		c := call(mint(t), "x")
		dying.fail(on("release"), on("claim")) // and from here on it is as good as killed
		_, err := dead.Do(ctx, c, saving(&runs))
		wantErr(t, err, onceward.ErrStoreUnavailable)
		time.Sleep(onceward.DefaultLease + time.Second)
		_, err = alive.Do(ctx, c, saving(&runs))
		wantErr(t, err, onceward.ErrOutcomeUnknown)
		if runs.Load() != 0 {
			t.Errorf("ran %d times", runs.Load())
		}
		dying.fail(nil, nil)
	})
}

// A reply that could not be saved is lost with the process, and the operation is unknown.
func TestLimitAnUnsavedReplyDiesWithItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		dead, alive, dying := deadAndAlive(t)
		c := call(mint(t), "x")
		_, err := dead.Do(ctx, c, func(ctx context.Context, a onceward.Attempt) onceward.Outcome {
			dying.fail(func(string) error { return errWire }, nil)
			return saving(&runs)(ctx, a)
		})
		wantErr(t, err, onceward.ErrReplyNotSaved)
		time.Sleep(onceward.DefaultLease + time.Second)
		_, err = alive.Do(ctx, c, saving(&runs))
		wantErr(t, err, onceward.ErrOutcomeUnknown)
		dying.fail(nil, nil)
	})
}

// deadAndAlive are two servers on one store; the first one's calls fail as the test says.
func deadAndAlive(t *testing.T) (dead, alive *onceward.Guard, dying *unreliable) {
	t.Helper()
	table := memstore.New(memstore.Config{})
	dying = &unreliable{Store: table}
	return onto(t, dying, onceward.Config{}), onto(t, table, onceward.Config{}), dying
}

// At the handler's limit its context ends and its lease is not renewed any more: others see an unknown while it still works. When
// it comes back all the same, its reply is saved.
func TestLimitAHandlerBeyondItsLimitIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		c := call(mint(t), "x")
		ended := make(chan error)
		go func() {
			_, err := w.a.Do(ctx, c, func(ctx context.Context, _ onceward.Attempt) onceward.Outcome {
				<-ctx.Done()
				time.Sleep(time.Minute) // it does not care
				return onceward.Save(reply("late"))
			})
			ended <- err
		}()
		time.Sleep(onceward.DefaultHandlerLimit + onceward.DefaultLease + time.Second)
		_, err := w.b.Do(ctx, c, nil)
		wantErr(t, err, onceward.ErrOutcomeUnknown)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		r, err := w.b.Do(ctx, c, nil)
		wantReply(t, r, err, "late", true)
	})
}
