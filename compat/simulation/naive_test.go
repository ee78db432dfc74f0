package simulation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// What is naive here is what people write: broken_test.go has the names.

// saveLater tells the guard that the reply is saved, and saves it behind its back, once.
func saveLater(_ context.Context, l *link, q store.AdvanceRequest) (store.Answer, error, bool) {
	if q.Op != store.OpComplete {
		return store.Answer{}, nil, false
	}
	about := name(q.Principal, q.Key)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 8*beat)
		defer cancel()
		_, _ = ask(ctx, l, "complete", about, func() (store.Answer, error) { return l.advance(about, q) })
	}()
	return store.Answer{Verdict: store.Applied}, nil, true
}

// saveOnce asks the store once. Later it tells the guard that there is no store any more, so that nothing is settled behind the caller's back either.
func saveOnce(ctx context.Context, l *link, q store.AdvanceRequest) (store.Answer, error, bool) {
	if q.Op != store.OpComplete {
		return store.Answer{}, nil, false
	}
	about, again := name(q.Principal, q.Key), fmt.Sprintf("given up %x", q.Token)
	l.mu.Lock()
	over := l.calls[again] > 0
	l.calls[again]++
	l.mu.Unlock()
	if over {
		return store.Answer{}, store.ErrClosed, true
	}
	a, err := ask(ctx, l, "complete", about, func() (store.Answer, error) { return l.advance(about, q) })
	return a, err, true
}

// saveWithClient gives the save the client's context, and takes a save that failed for a run that failed.
func saveWithClient(ctx context.Context, l *link, q store.AdvanceRequest) (store.Answer, error, bool) {
	client, ok := ctx.Value(contextKey{}).(context.Context)
	if q.Op != store.OpComplete || !ok || client.Err() == nil {
		return store.Answer{}, nil, false
	}
	q.Op, q.Reply, q.End = store.OpRelease, nil, 0
	about := name(q.Principal, q.Key)
	a, err := ask(ctx, l, "release", about, func() (store.Answer, error) { return l.advance(about, q) })
	return a, err, true
}

// ownReply takes a record that is another's now for one that is saved.
func ownReply(ctx context.Context, l *link, q store.AdvanceRequest) (store.Answer, error, bool) {
	if q.Op != store.OpComplete {
		return store.Answer{}, nil, false
	}
	about := name(q.Principal, q.Key)
	a, err := ask(ctx, l, "complete", about, func() (store.Answer, error) { return l.advance(about, q) })
	if err == nil && a.Verdict == store.Lost {
		a.Verdict = store.Applied
	}
	return a, err, true
}

type hangUpFrees struct{ onceward.Executor }

func (e hangUpFrees) Do(ctx context.Context, call onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	return e.Executor.Do(ctx, call, func(own context.Context, a onceward.Attempt) onceward.Outcome {
		out := fn(own, a)
		if ctx.Err() != nil {
			out.Ending = onceward.EndFree
		}
		return out
	})
}

// expiringLock is what most people write first: SETNX with an expiry, DEL when the handler fails, SET when it does not.
type expiringLock struct {
	onceward.Executor
	w *world
}

type lock struct {
	until time.Time
	reply *onceward.Reply
}

func (e expiringLock) Do(ctx context.Context, call onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	k, locks := name(call.Scope.Principal, call.Key.Text()), &e.w.locks
	if held, ok := locks.Load(k); ok {
		switch l := held.(lock); {
		case l.reply != nil:
			return onceward.Result{Reply: *l.reply, Standing: onceward.Saved, Replayed: true}, nil
		case time.Now().Before(l.until):
			return onceward.Result{}, &onceward.Error{Op: "lock", Err: onceward.ErrInProgress, RetryAfter: time.Second}
		}
	}
	locks.Store(k, lock{until: time.Now().Add(30 * time.Second)})
	run := onceward.NewRun(call, nil)
	out := fn(run.Context(context.WithoutCancel(ctx)), onceward.Attempt{N: 1, MaxReply: 1 << 20})
	if out.Reply.Status >= 500 || out.Ending == onceward.EndFree {
		locks.Delete(k)
		return onceward.Result{Reply: out.Reply, Standing: onceward.Freed}, nil
	}
	locks.Store(k, lock{reply: &out.Reply})
	return onceward.Result{Reply: out.Reply, Standing: onceward.Saved}, nil
}

type childPerRun struct{ onceward.Executor }

func (e childPerRun) Do(ctx context.Context, call onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	return e.Executor.Do(ctx, call, func(own context.Context, a onceward.Attempt) onceward.Outcome {
		if a.Doubted {
			other := call
			other.Key, _ = onceward.NewKey()
			own = onceward.NewRun(other, nil).Context(own)
		}
		return fn(own, a)
	})
}

type keyPerAttempt struct {
	c    *customer
	next http.RoundTripper
}

func (k keyPerAttempt) RoundTrip(req *http.Request) (*http.Response, error) {
	key, err := onceward.TypeID{Clock: k.c.now}.Mint()
	if err != nil {
		return nil, err
	}
	k.c.w.register(name(k.c.principal, key.Text()), k.c.number, 0, k.c.route)
	req = req.Clone(req.Context())
	req.Header.Set("Idempotency-Key", key.Text())
	return k.next.RoundTrip(req)
}

type brokenIsUnsent struct{ next http.RoundTripper }

// RoundTrip also hides what the transport would tell of its connections.
func (b brokenIsUnsent) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(req.Context(), cancel)
	resp, err := b.next.RoundTrip(req.WithContext(ctx))
	if err != nil && !errors.Is(err, context.Canceled) {
		err = &net.OpError{Op: "dial", Net: "memory", Err: fmt.Errorf("broken: %w", err)}
	}
	return resp, err
}
