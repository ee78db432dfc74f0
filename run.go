package onceward

import (
	"context"
	"sync"
	"sync/atomic"
)

// Run is what the context of a guarded function carries. Executors make one for each run; everybody else uses
// [Start], [NoEffect] and [Child].
type Run struct {
	call     Call
	start    func(context.Context) error
	started  atomic.Bool
	noEffect atomic.Bool

	mu    sync.Mutex
	step  string              // the first one: most runs have no other
	steps map[string]struct{} // the others
}

// NewRun is for authors of executors. start is called by [Start]; nil: the run has started already.
func NewRun(call Call, start func(context.Context) error) *Run {
	r := &Run{}
	r.init(call, start)
	return r
}

func (r *Run) init(call Call, start func(context.Context) error) {
	r.call, r.start = call, start
	r.started.Store(start == nil)
}

// Context puts the run into a context.
func (r *Run) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, runKey{}, r)
}

// Started reports whether the run has passed its start.
func (r *Run) Started() bool { return r.started.Load() }

// NoEffect reports whether the function said [NoEffect].
func (r *Run) NoEffect() bool { return r.noEffect.Load() }

type runKey struct{}

func runOf(ctx context.Context) (*Run, error) {
	r, ok := ctx.Value(runKey{}).(*Run)
	if !ok {
		return nil, &Error{Op: "run", Err: ErrNoAttempt, Hint: "pass on the context that the guarded function was given"}
	}
	return r, nil
}

// Start marks the moment before the first irreversible effect, for routes with [Config].ExplicitStart; elsewhere it does nothing.
// Before Start a crash lets the next call run again; after it the record's policy decides. On an error nothing irreversible may be done:
// the claim may be somebody else's by now. Calling it again is harmless.
func Start(ctx context.Context) error {
	r, err := runOf(ctx)
	if err != nil {
		return err
	}
	if r.started.Load() {
		return nil
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	r.started.Store(true)
	return nil
}

// Started reports whether the run has passed its start: always, but on routes with [Config].ExplicitStart before [Start]. Outside a guarded
// function it is true.
func Started(ctx context.Context) bool {
	r, err := runOf(ctx)
	return err != nil || r.started.Load()
}

// NoEffect says that certainly nothing took effect in this run: however it ends without a success, the key is free.
// A handler says it before it answers 503 because a resource was not to be had. It returns [ErrNoAttempt] outside a guarded function.
func NoEffect(ctx context.Context) error {
	r, err := runOf(ctx)
	if err == nil {
		r.noEffect.Store(true)
	}
	return err
}

// Child returns the key for one step of this operation, to be passed on to another service: the same in every run, so that
// a second run is not a second effect there. Steps are named, not counted: a step inserted later must not shift the others. A name used
// twice in one run is [ErrStepReused].
func Child(ctx context.Context, step string) (Key, error) {
	r, err := runOf(ctx)
	if err != nil {
		return Key{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, used := r.steps[step]; used || step == r.step && step != "" {
		return Key{}, &Error{Op: "child", Key: r.call.Key, Err: ErrStepReused, Hint: "give each step of a run its own name"}
	}
	key, err := ChildKey(r.call.Scope, r.call.Key, step)
	if err != nil {
		return Key{}, err
	}
	switch {
	case r.step == "":
		r.step = step
	case r.steps == nil:
		r.steps = make(map[string]struct{})
		fallthrough
	default:
		r.steps[step] = struct{}{}
	}
	return key, nil
}
