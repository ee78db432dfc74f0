package onceward_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

func TestASaveThatFailsIsRetriedAndThenSettledBehindTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait})
		var runs atomic.Int64
		w.store.fail(on("complete"), nil)
		key := mint(t)
		_, err := w.a.Do(ctx, call(key, "x"), saving(&runs))
		wantErr(t, err, onceward.ErrReplyNotSaved)
		if onceward.FateOf(err) != onceward.Unknown {
			t.Error("the reply is not saved: the fate is not known")
		}
		_, err = w.a.Do(ctx, call(key, "x"), saving(&runs))
		wantErr(t, err, onceward.ErrInProgress)
		w.store.fail(nil, nil)
		time.Sleep(2 * time.Second)
		r, err := w.a.Do(ctx, call(key, "x"), saving(&runs))
		wantReply(t, r, err, "run 1", true)
	})
}

func TestAShortFailureOfTheSaveIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		var runs, fails atomic.Int64
		w.store.fail(nil, func(op string) error { // carried out, the answer lost
			if op == "complete" && fails.Add(1) < 4 {
				return errWire
			}
			return nil
		})
		r, err := w.a.Do(ctx, call(mint(t), "x"), saving(&runs))
		wantReply(t, r, err, "run 1", false)
	})
}

func TestAClaimWhoseAnswerIsLostIsNeitherUnknownNorLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait})
		var runs atomic.Int64
		w.store.fail(on("release"), on("claim"))
		key := mint(t)
		_, err := w.a.Do(ctx, call(key, "x"), saving(&runs))
		wantErr(t, err, onceward.ErrStoreUnavailable)
		if runs.Load() != 0 {
			t.Fatal("ran without a claim")
		}
		w.store.fail(on("release"), nil)
		_, err = w.b.Do(ctx, call(key, "x"), saving(&runs))
		wantErr(t, err, onceward.ErrInProgress)
		w.store.fail(nil, nil)
		time.Sleep(time.Second)
		r, err := w.b.Do(ctx, call(key, "x"), saving(&runs))
		wantReply(t, r, err, "run 1", false)
	})
}

func TestAFullSettlerRefusesNewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{MaxUnsettled: 2})
		var claims, runs atomic.Int64
		w.store.fail(func(op string) error {
			if op == "claim" {
				claims.Add(1)
			}
			return errWire
		}, nil)
		for range 10 {
			_, err := w.a.Do(ctx, call(mint(t), "x"), saving(&runs))
			wantErr(t, err, onceward.ErrStoreUnavailable)
		}
		if claims.Load() != 2 {
			t.Errorf("%d claims reached a store that is down", claims.Load())
		}
		w.store.fail(nil, nil)
		time.Sleep(2 * time.Second)
		r, err := w.a.Do(ctx, call(mint(t), "x"), saving(&runs))
		wantReply(t, r, err, "run 1", false)
	})
}

func TestAStoreOnAnotherClockIsUnderstood(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := memstore.New(memstore.Config{Clock: func() time.Time { return time.Now().Add(off) }})
			g, err := onceward.New(s, onceward.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close(ctx)
			var runs atomic.Int64
			uuid, err := onceward.UUIDv4{}.Mint()
			if err != nil {
				t.Fatal(err)
			}
			r, err := g.Do(ctx, call(uuid, "x"), saving(&runs))
			wantReply(t, r, err, "run 1", false)
		})
	}
}

func TestAReplyOverTheLimitIsATombstone(t *testing.T) {
	w := newWorld(t, onceward.Config{MaxReply: 100})
	key := mint(t)
	big := string(make([]byte, 101))
	r, err := w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.Save(reply(big)) })
	wantReply(t, r, err, big, false)
	_, err = w.a.Do(ctx, call(key, "x"), nil)
	wantErr(t, err, onceward.ErrReplyNotKept)
	if onceward.FateOf(err) != onceward.Executed {
		t.Error("a tombstone is of something executed")
	}
}

func TestAFullStoreRefusesAndStillCompletes(t *testing.T) {
	g, err := onceward.New(memstore.New(memstore.Config{MaxRecords: 1}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(ctx)
	var runs atomic.Int64
	key := mint(t)
	r, err := g.Do(ctx, call(key, "x"), func(c context.Context, a onceward.Attempt) onceward.Outcome {
		_, err := g.Do(ctx, call(mint(t), "y"), saving(&runs))
		wantErr(t, err, onceward.ErrStoreUnavailable)
		wantErr(t, err, store.ErrFull)
		return saving(&runs)(c, a)
	})
	wantReply(t, r, err, "run 1", false)
	r, err = g.Do(ctx, call(key, "x"), saving(&runs))
	wantReply(t, r, err, "run 1", true)
}

func TestCloseLetsFunctionsEndAndSavesTheirReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a goroutine that is left over fails the bubble
		mem := &unreliable{Store: memstore.New(memstore.Config{})}
		g, err := onceward.New(mem, onceward.Config{Lease: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		var completes atomic.Int64
		mem.fail(nil, func(op string) error {
			if op == "complete" {
				completes.Add(1)
			}
			return nil
		})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				r, err := g.Do(ctx, call(mint(t), "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
					time.Sleep(20 * time.Second)
					return onceward.Save(reply("done"))
				})
				wantReply(t, r, err, "done", false)
			})
		}
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- g.Close(ctx) }()
		synctest.Wait()
		_, err = g.Do(ctx, call(mint(t), "x"), nil)
		wantErr(t, err, onceward.ErrClosed)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if completes.Load() != 50 {
			t.Errorf("%d replies saved before the store was closed", completes.Load())
		}
		wg.Wait()
	})
}

func TestCloseStopsWaitingWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		var runs atomic.Int64
		w.store.fail(on("complete"), nil)
		_, err := w.a.Do(ctx, call(mint(t), "x"), saving(&runs))
		wantErr(t, err, onceward.ErrReplyNotSaved)
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		wantErr(t, w.a.Close(short), context.DeadlineExceeded)
		if w.alarms(onceward.AlarmUnsettled) != 1 {
			t.Error("nobody is told of what was left unsettled")
		}
	})
}
