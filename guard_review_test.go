package onceward_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// The histories in this file broke an earlier version of the guard in review.

func TestAnOwnerThatHadItsEffectNeverSaysThatANewKeyIsSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait})
		key := mint(t)
		w.store.fail(on("extend"), nil)
		stalled, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			_, err := w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
				<-stalled
				return onceward.Save(reply("money moved"))
			})
			wantErr(t, err, onceward.ErrNotExecuted)
			if onceward.FateOf(err) != onceward.Unknown {
				t.Errorf("fate %v: a new key would move the money again", onceward.FateOf(err))
			}
		}()
		time.Sleep(onceward.DefaultLease)
		page, err := w.b.Unknowns(ctx, onceward.UnknownsRequest{})
		if err != nil || len(page.Records) != 1 {
			t.Fatal(page, err)
		}
		if _, err := w.b.Resolve(ctx, onceward.Resolution{Record: page.Records[0], Attested: true, Actor: "op", Reason: "wrong"}); err != nil {
			t.Fatal(err)
		}
		close(stalled)
		<-ended
		if w.alarms(onceward.AlarmContradiction) != 1 {
			t.Error("nobody is told of the contradiction")
		}
	})
}

func TestFreeOfADoubtedRecordIsADoubtAlsoWhenTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait, OnLapse: onceward.Rerun})
		key := mint(t)
		_, _ = doRecovering(w.a, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome { panic("after the effect") })
		w.store.fail(on("release"), nil)
		r, err := w.b.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.Free(reply("429")) })
		if err != nil || r.Standing != onceward.Doubted {
			t.Errorf("standing %v, %v", r.Standing, err)
		}
		time.Sleep(onceward.DefaultLease)
		_, err = w.b.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.FreeError(errBusiness) })
		if onceward.FateOf(err) != onceward.Unknown {
			t.Errorf("fate %v of %v", onceward.FateOf(err), err)
		}
		w.store.fail(nil, nil)
	})
}

func TestASuccessWithoutStartIsHeldAlsoWhenTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait, ExplicitStart: true})
		key := mint(t)
		var effects atomic.Int64
		w.store.fail(on("start"), nil)
		_, err := w.a.Do(ctx, call(key, "x"), saving(&effects))
		wantErr(t, err, onceward.ErrNotStarted)
		w.store.fail(nil, nil)
		time.Sleep(onceward.DefaultLease)
		_, err = w.b.Do(ctx, call(key, "x"), saving(&effects))
		wantErr(t, err, onceward.ErrOutcomeUnknown)
		if effects.Load() != 1 {
			t.Errorf("%d effects", effects.Load())
		}
	})
}

func TestTheLeaseLivesWhileTheReplyIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait, OnLapse: onceward.Rerun, Lease: 3 * time.Second, SaveLimit: 10 * time.Second})
		key := mint(t)
		var runs atomic.Int64
		w.store.fail(on("complete"), nil)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r, err := w.a.Do(ctx, call(key, "x"), saving(&runs))
			wantReply(t, r, err, "run 1", false)
		}()
		time.Sleep(3500 * time.Millisecond)
		_, err := w.b.Do(ctx, call(key, "x"), saving(&runs))
		wantErr(t, err, onceward.ErrInProgress)
		w.store.fail(nil, nil)
		<-ended
		if runs.Load() != 1 || w.alarms(onceward.AlarmReplaced) != 0 {
			t.Errorf("%d runs, %d alarms", runs.Load(), w.alarms(onceward.AlarmReplaced))
		}
	})
}

func TestAStoreThatIsAwayForAThirdOfTheLeaseCostsNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait, OnLapse: onceward.Rerun})
		key := mint(t)
		var runs atomic.Int64
		began := time.Now()
		w.store.fail(func(op string) error {
			if op == "extend" && time.Since(began) < 23*time.Second {
				time.Sleep(onceward.DefaultStoreTimeout)
				return errWire
			}
			return nil
		}, nil)
		go func() {
			_, _ = w.a.Do(ctx, call(key, "x"), func(c context.Context, a onceward.Attempt) onceward.Outcome {
				time.Sleep(50 * time.Second)
				return saving(&runs)(c, a)
			})
		}()
		time.Sleep(31 * time.Second)
		_, err := w.b.Do(ctx, call(key, "x"), saving(&runs))
		wantErr(t, err, onceward.ErrInProgress)
		time.Sleep(30 * time.Second)
	})
}

// keepsLittle is a store whose replies are bounded.
type keepsLittle struct{ store.Store }

func (s keepsLittle) Traits() store.Traits { t := s.Store.Traits(); t.MaxReply = 100; return t }

func (s keepsLittle) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if len(q.Reply) > 60 {
		return store.Answer{}, store.ErrInvalid
	}
	return s.Store.Advance(ctx, q)
}

func TestAReplyThatTheStoreCannotTakeIsATombstone(t *testing.T) {
	g, err := onceward.New(keepsLittle{memstore.New(memstore.Config{})}, onceward.Config{MaxReply: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(ctx)
	_, err = g.With(func(c *onceward.Config) { c.MaxReply = 1000 })
	wantErr(t, err, onceward.ErrConfig)
	long := string(make([]byte, 80))
	key := mint(t)
	r, err := g.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.Save(reply(long)) })
	wantReply(t, r, err, long, false)
	_, err = g.Do(ctx, call(key, "x"), nil)
	wantErr(t, err, onceward.ErrReplyNotKept)
}

func TestACallerThatChangesItsReplyChangesNobodyElses(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	var runs atomic.Int64
	key := mint(t)
	for range 3 {
		r, err := w.a.Do(ctx, call(key, "x"), saving(&runs))
		wantReply(t, r, err, "run 1", r.Replayed)
		r.Reply.Body[0] = 'X'
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		var got [3]onceward.Result
		var wg sync.WaitGroup
		key := mint(t)
		for i := range got {
			wg.Go(func() {
				got[i], _ = w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
					time.Sleep(time.Millisecond)
					return onceward.Save(onceward.Reply{Status: 201, Header: []onceward.Field{{Name: "A", Value: "b"}}, Body: []byte("abc")})
				})
				r := got[i].Reply
				if string(r.Body) != "abc" || r.Header[0].Value != "b" {
					t.Errorf("got %q %v", r.Body, r.Header[0])
				}
				r.Body[0], r.Header[0].Value = 'X', "Y" // at once, while others still wake up
			})
		}
		wg.Wait()
	})
}

func TestAPanicAfterNoEffectFreesTheKey(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	key := mint(t)
	_, err := doRecovering(w.a, call(key, "x"), func(c context.Context, _ onceward.Attempt) onceward.Outcome {
		_ = onceward.NoEffect(c)
		panic("boom")
	})
	wantErr(t, err, errPanicked)
	var runs atomic.Int64
	r, err := w.a.Do(ctx, call(key, "x"), saving(&runs))
	wantReply(t, r, err, "run 1", false)
}

func TestAFunctionThatEndsItsGoroutineIsADoubt(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	key := mint(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
			runtime.Goexit()
			return onceward.Save(reply("never"))
		})
	}()
	<-ended
	_, err := w.a.Do(ctx, call(key, "x"), nil)
	wantErr(t, err, onceward.ErrOutcomeUnknown)
}

func TestTheDefaultReserveIsWhatItSays(t *testing.T) {
	reserve := -1
	s := &watching{Store: memstore.New(memstore.Config{}), claim: func(q store.ClaimRequest) { reserve = q.Reserve }}
	g, err := onceward.New(s, onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(ctx)
	var runs atomic.Int64
	if _, err := g.Do(ctx, call(mint(t), "x"), saving(&runs)); err != nil || reserve != onceward.DefaultReserve {
		t.Errorf("reserved %d bytes, %v", reserve, err)
	}
}

// watching is a store that shows its claims.
type watching struct {
	store.Store
	claim func(store.ClaimRequest)
}

func (s *watching) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	s.claim(q)
	return s.Store.Claim(ctx, q)
}

func TestARefusedHorizonIsNotSafeToReplace(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	c := call(mint(t), "x")
	c.Horizon = 30 * time.Hour
	_, err := w.a.Do(ctx, c, nil)
	wantErr(t, err, onceward.ErrHorizonTooLong)
	var e *onceward.Error
	if !errors.As(err, &e) || e.SafeNewKey {
		t.Error("a copy runs once the window is raised")
	}
}
