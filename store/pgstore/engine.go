package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// engine is what transactors have in common: everything but the way to the database.
type engine struct {
	config  TransactConfig
	link    link
	traits  store.Traits
	joining joining
	slots   chan struct{} // a place for each connection that may wait long for a lock
	pace    atomic.Int64  // moving average of how long functions run, in nanoseconds
	behind  func(func())  // does what a caller need not wait for; tests do it later

	upkeep *onceward.Maintenance
	life   context.Context // of maintenance: ends with Close
	retire context.CancelFunc

	random sync.Mutex // of config.Rand

	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup // calls, and rollbacks behind their backs
}

func newEngine(c TransactConfig, l link, p onceward.Purger, t store.Traits) *engine {
	e := &engine{config: c, link: l, traits: t, slots: make(chan struct{}, max(1, l.size()/2))}
	e.behind = e.inBackground
	e.startUpkeep(p)
	return e
}

// Do implements [onceward.Executor].
func (e *engine) Do(ctx context.Context, call onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	p := &pass{e: e, call: call, fn: fn, arrived: time.Now()}
	if err := p.identify(); err != nil {
		return onceward.Result{}, err
	}
	if !e.enter() {
		return onceward.Result{}, &onceward.Error{Op: "do", Key: call.Key, Err: onceward.ErrClosed,
			Hint: "this server is shutting down; send the same key to another", RetryAfter: time.Second}
	}
	defer e.work.Done()
	result, err := p.do(ctx)
	p.report(ctx, result, err)
	return result, err
}

// enter counts something in that Close waits for, unless it is closed.
func (e *engine) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.work.Add(1)
	}
	return !e.closed
}

// inBackground does what the caller, who is counted in, need not wait for.
func (e *engine) inBackground(do func()) {
	e.work.Add(1)
	go func() {
		defer e.work.Done()
		do()
	}()
}

// Window is how long a key is remembered after its completion.
func (e *engine) Window() time.Duration { return e.config.Window }

// Close begins nothing more, ends maintenance and lets the functions that run come to their end. If ctx ends first, Close returns its error. The pool stays open.
func (e *engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.retire()
	e.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.work.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return &onceward.Error{Op: "close", Err: context.Cause(ctx), Hint: "some functions were still under way; what they did not commit is undone"}
	}
}

// Guarantee says what holds, with the server's settings as they were when the transactor was made.
func (e *engine) Guarantee() onceward.Guarantee {
	survives := "survives power loss"
	if e.traits.Survives < store.SurvivesPowerLoss {
		survives = "may be forgotten, effect, record and reply together, in a crash"
	}
	g := onceward.Guarantee{Promise: "exactly once in this database", Sentence: fmt.Sprintf(
		"Exactly once in this database, replies replayed for %v after completion: effect, record and reply are one transaction, at %s; what is acknowledged %s.",
		e.config.Window, e.config.Isolation, survives)}
	g.Weakened = append(g.Weakened, "What a function does outside of this database is not covered: pass child keys on.")
	if e.traits.LossyFailover {
		g.Weakened = append(g.Weakened, "A failover may forget acknowledged transactions, effect and record together: a retry that spans it runs again.")
	}
	unaged := "TypeIDs"
	if e.config.UUIDv7Aged {
		unaged = "TypeIDs and UUIDv7"
	}
	g.Weakened = append(g.Weakened, "Keys without a mint time (any but once_… "+unaged+") are remembered for the window only: a copy that comes later runs again.")
	if e.config.MaintainEvery == onceward.NoMaintenance {
		g.Weakened = append(g.Weakened, "This transactor does not purge the table by itself; something else has to, or call Maintain.")
	}
	g.Weakened = append(g.Weakened, e.traits.Caveats...)
	return g
}

// draw draws the value that tells this call's record from others'.
func (e *engine) draw() (t store.Token, err error) {
	e.random.Lock()
	defer e.random.Unlock()
	_, err = io.ReadFull(e.config.Rand, t[:])
	return t, err
}

// Bounds of what a caller is asked to wait for an operation in flight.
const (
	minRetryAfter = 10 * time.Millisecond
	maxRetryAfter = 30 * time.Second
)

// observe adds the duration of a run to the moving average, with a weight of one eighth as in RFC 6298.
func (e *engine) observe(ran time.Duration) {
	was, now := e.pace.Load(), int64(ran)
	if was != 0 {
		now = was + (int64(ran)-was)/8
	}
	e.pace.Store(max(now, 1)) // a race loses one sample
}

func (e *engine) retryAfter() time.Duration {
	return min(max(time.Duration(e.pace.Load()), minRetryAfter), maxRetryAfter)
}

// report tells the observer that a call has ended.
func (p *pass) report(ctx context.Context, result onceward.Result, err error) {
	if tell := p.e.config.Observer.Call; tell != nil {
		tell(ctx, onceward.CallEvent{
			Service: p.who.Service, ID: p.who.ID, Key: p.call.Key, Standing: result.Standing, Replayed: result.Replayed,
			Doubted: p.doubted, Waited: p.waited, Ran: p.ran, Err: err,
		})
	}
}

// identify names the operation; scope, key and fingerprint must be whole.
func (p *pass) identify() error {
	fail := func(err, cause error, hint string) error {
		return &onceward.Error{Op: "do", Key: p.call.Key, Err: err, Cause: cause, Hint: hint}
	}
	if p.call.Key.IsZero() {
		return fail(onceward.ErrKeyMissing, nil, "send a unique key with each operation")
	}
	if err := p.call.Scope.Validate(); err != nil {
		return fail(onceward.ErrScopeInvalid, err, "the scope names the service and who calls; both are required")
	}
	if len(p.call.Fingerprint.Versions()) == 0 {
		return fail(onceward.ErrConfig, errors.New("Call.Fingerprint is empty"), "use HTTPFingerprint or BytesFingerprint")
	}
	p.who = p.call.Scope.Identity(p.call.Key)
	if p.who.Stamp == 0 && p.e.config.UUIDv7Aged {
		if at, ok := p.call.Key.UUIDv7Time(); ok {
			p.who.Stamp = store.TimeOf(at)
		}
	}
	return nil
}
