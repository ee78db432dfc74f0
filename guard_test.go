package onceward_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

var ctx = context.Background()

var alice = onceward.Scope{Service: "orders", Principal: "alice"}

// world is a store under the test's control with two servers on it.
type world struct {
	t     *testing.T
	store *unreliable
	a, b  *onceward.Guard
	mu    sync.Mutex
	alarm []onceward.AlarmEvent
}

func newWorld(t *testing.T, cfg onceward.Config) *world {
	t.Helper()
	w := &world{t: t, store: &unreliable{Store: memstore.New(memstore.Config{})}}
	cfg.Observer.Alarm = func(_ context.Context, e onceward.AlarmEvent) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.alarm = append(w.alarm, e)
	}
	var err error
	if w.a, err = onceward.New(w.store, cfg); err != nil {
		t.Fatal(err)
	}
	if w.b, err = onceward.New(w.store, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.a.Close(ctx), w.b.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) alarms(kind onceward.Alarm) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.alarm {
		if e.Alarm == kind {
			n++
		}
	}
	return n
}

// unreliable is a store whose calls fail as the test says: before they are carried out, or after.
type unreliable struct {
	store.Store
	mu            sync.Mutex
	before, after func(op string) error
}

var errWire = errors.New("the connection broke")

func (u *unreliable) fail(before, after func(op string) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.before, u.after = before, after
}

func (u *unreliable) around(op string, call func() (store.Answer, error)) (store.Answer, error) {
	u.mu.Lock()
	before, after := u.before, u.after
	u.mu.Unlock()
	if before != nil {
		if err := before(op); err != nil {
			return store.Answer{}, err
		}
	}
	answer, err := call()
	if err == nil && after != nil {
		if err := after(op); err != nil {
			return store.Answer{}, err
		}
	}
	return answer, err
}

func (u *unreliable) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	return u.around("claim", func() (store.Answer, error) { return u.Store.Claim(ctx, q) })
}

func (u *unreliable) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	return u.around(q.Op.String(), func() (store.Answer, error) { return u.Store.Advance(ctx, q) })
}

// on fails the calls of one kind.
func on(op string) func(string) error {
	return func(got string) error {
		if got == op {
			return errWire
		}
		return nil
	}
}

func mint(t *testing.T) onceward.Key {
	t.Helper()
	key, err := onceward.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func call(key onceward.Key, body string) onceward.Call {
	return onceward.Call{Scope: alice, Key: key, Fingerprint: onceward.BytesFingerprint("test", []byte(body))}
}

func reply(s string) onceward.Reply { return onceward.Reply{Status: 201, Body: []byte(s)} }

// saving is a function that counts its runs and saves its number.
func saving(runs *atomic.Int64) func(context.Context, onceward.Attempt) onceward.Outcome {
	return func(context.Context, onceward.Attempt) onceward.Outcome {
		return onceward.Save(reply(fmt.Sprintf("run %d", runs.Add(1))))
	}
}

func wantReply(t *testing.T, r onceward.Result, err error, body string, replayed bool) {
	t.Helper()
	if err != nil || string(r.Reply.Body) != body || r.Replayed != replayed {
		t.Fatalf("got %q replayed=%v, %v; want %q replayed=%v", r.Reply.Body, r.Replayed, err, body, replayed)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func TestTheSecondCallGetsTheFirstReply(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	var runs atomic.Int64
	key := mint(t)
	r, err := w.a.Do(ctx, call(key, "x"), saving(&runs))
	wantReply(t, r, err, "run 1", false)
	for _, g := range []*onceward.Guard{w.a, w.b} {
		r, err = g.Do(ctx, call(key, "x"), saving(&runs))
		wantReply(t, r, err, "run 1", true)
		if r.Reply.Status != 201 || r.Standing != onceward.Saved {
			t.Errorf("got %+v", r)
		}
	}
	if runs.Load() != 1 {
		t.Errorf("%d runs", runs.Load())
	}
}

func TestAnotherRequestUnderTheSameKeyIsRefused(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	var runs atomic.Int64
	key := mint(t)
	_, _ = w.a.Do(ctx, call(key, "x"), saving(&runs))
	_, err := w.a.Do(ctx, call(key, "y"), saving(&runs))
	wantErr(t, err, onceward.ErrKeyReused)
	if onceward.FateOf(err) != onceward.Unknown {
		t.Error("a reused key says nothing of the operation")
	}
}

func TestAnotherPrincipalHasOtherKeys(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	var runs atomic.Int64
	key := mint(t)
	_, _ = w.a.Do(ctx, call(key, "x"), saving(&runs))
	bob := call(key, "x")
	bob.Scope.Principal = "bob"
	r, err := w.a.Do(ctx, bob, saving(&runs))
	wantReply(t, r, err, "run 2", false)
	bob.Scope.Principal = ""
	_, err = w.a.Do(ctx, bob, saving(&runs))
	wantErr(t, err, onceward.ErrScopeInvalid)
	if runs.Load() != 2 {
		t.Errorf("%d runs: an empty principal must not run", runs.Load())
	}
}

func TestConcurrentCallsRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		var runs atomic.Int64
		key := mint(t)
		slow := func(c context.Context, a onceward.Attempt) onceward.Outcome {
			time.Sleep(100 * time.Millisecond)
			return saving(&runs)(c, a)
		}
		var wg sync.WaitGroup
		for i := range 100 {
			g := w.a
			if i%2 == 1 {
				g = w.b
			}
			wg.Go(func() {
				r, err := g.Do(ctx, call(key, "x"), slow)
				if err != nil || string(r.Reply.Body) != "run 1" {
					t.Errorf("got %q, %v", r.Reply.Body, err)
				}
			})
		}
		wg.Wait()
		if runs.Load() != 1 {
			t.Errorf("%d runs", runs.Load())
		}
	})
}

func TestACallerThatLeavesDoesNotEndTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		key := mint(t)
		caller, leave := context.WithCancel(ctx)
		r, err := w.a.Do(caller, call(key, "x"), func(c context.Context, _ onceward.Attempt) onceward.Outcome {
			leave()
			time.Sleep(time.Second)
			if c.Err() != nil {
				t.Error("the function's context ended with the caller's")
			}
			return onceward.Save(reply("done"))
		})
		wantReply(t, r, err, "done", false)
		r, err = w.b.Do(ctx, call(key, "x"), nil)
		wantReply(t, r, err, "done", true)
	})
}

func TestAWaiterIsToldInProgressWhenItsPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		key := mint(t)
		go func() {
			_, _ = w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
				time.Sleep(10 * time.Second)
				return onceward.Save(reply("late"))
			})
		}()
		synctest.Wait()
		for _, g := range []*onceward.Guard{w.a, w.b} { // in the process, and across
			began := time.Now()
			_, err := g.Do(ctx, call(key, "x"), nil)
			wantErr(t, err, onceward.ErrInProgress)
			if waited := time.Since(began); waited < onceward.DefaultWait || waited > onceward.DefaultWait+time.Second/2 {
				t.Errorf("waited %v", waited)
			}
		}
		time.Sleep(7 * time.Second)
		r, err := w.b.Do(ctx, call(key, "x"), nil)
		wantReply(t, r, err, "late", true)
	})
}

func TestAFunctionThatOutlivesItsLeaseKeepsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Lease: 3 * time.Second, Wait: onceward.NoWait, OnLapse: onceward.Rerun})
		key := mint(t)
		var runs atomic.Int64
		go func() {
			_, _ = w.a.Do(ctx, call(key, "x"), func(c context.Context, a onceward.Attempt) onceward.Outcome {
				time.Sleep(30 * time.Second)
				return saving(&runs)(c, a)
			})
		}()
		for range 29 {
			time.Sleep(time.Second)
			_, err := w.b.Do(ctx, call(key, "x"), saving(&runs))
			wantErr(t, err, onceward.ErrInProgress)
		}
		time.Sleep(2 * time.Second)
		r, err := w.b.Do(ctx, call(key, "x"), saving(&runs))
		wantReply(t, r, err, "run 1", true)
	})
}

func TestAStalledOwnerUnderMarkUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait})
		key := mint(t)
		w.store.fail(on("extend"), nil)
		stalled := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r, err := w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
				<-stalled
				return onceward.Save(reply("late"))
			})
			wantReply(t, r, err, "late", false)
		}()
		time.Sleep(onceward.DefaultLease)
		_, err := w.b.Do(ctx, call(key, "x"), nil)
		wantErr(t, err, onceward.ErrOutcomeUnknown)
		page, err := w.b.Unknowns(ctx, onceward.UnknownsRequest{})
		if err != nil || len(page.Records) != 1 || page.Records[0].Key != key.Text() {
			t.Fatalf("unknowns: %+v, %v", page, err)
		}
		close(stalled) // nobody has replaced it: it settles
		<-ended
		r, err := w.b.Do(ctx, call(key, "x"), nil)
		wantReply(t, r, err, "late", true)
	})
}

func TestAReplacedOwnerAnswersFromTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait, OnLapse: onceward.Rerun})
		key := mint(t)
		w.store.fail(on("extend"), nil)
		stalled := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r, err := w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
				<-stalled
				return onceward.Save(reply("first"))
			})
			wantReply(t, r, err, "second", true)
		}()
		time.Sleep(onceward.DefaultLease)
		r, err := w.b.Do(ctx, call(key, "x"), func(_ context.Context, a onceward.Attempt) onceward.Outcome {
			if !a.Doubted {
				t.Error("the second run is not told that there was a first")
			}
			return onceward.Save(reply("second"))
		})
		wantReply(t, r, err, "second", false)
		close(stalled)
		<-ended
		if w.alarms(onceward.AlarmReplaced) != 1 {
			t.Error("no alarm")
		}
	})
}

func TestAReplacedOwnerIsCancelledOnProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait, OnLapse: onceward.Rerun})
		key := mint(t)
		w.store.fail(on("extend"), nil)
		cause := make(chan error, 1)
		go func() {
			_, _ = w.a.Do(ctx, call(key, "x"), func(c context.Context, _ onceward.Attempt) onceward.Outcome {
				<-c.Done()
				cause <- context.Cause(c)
				return onceward.Doubt(reply("cancelled"))
			})
		}()
		time.Sleep(onceward.DefaultLease)
		_, _ = w.b.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
			select {
			case err := <-cause:
				t.Errorf("cancelled without proof: %v", err)
			default:
			}
			return onceward.Save(reply("second"))
		})
		w.store.fail(nil, nil)
		time.Sleep(onceward.DefaultLease)
		synctest.Wait()
		select {
		case err := <-cause:
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("cancelled by time, not by proof: %v", err)
			}
		default:
			t.Error("not cancelled")
		}
	})
}

// sleepPast lets the bubble's clock pass d.
func sleepPast(d time.Duration) { time.Sleep(d + time.Millisecond) }
