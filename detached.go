package onceward

import (
	"context"
	"sync"
	"time"
)

// detached is a context that keeps its caller's values and not its cancellation, and ends at its deadline, or when it is told to.
//
// Timers and channels are most of what a context costs, and few functions look at theirs. So the standard library's context, which does all
// the work, is made when somebody asks for what only that has: a channel, a reason, a child.
type detached struct {
	caller   context.Context
	deadline time.Time
	late     error // cause at the deadline; nil: context.DeadlineExceeded
	run      *Run  // of a guarded function; nil: none

	mu     sync.Mutex
	ended  bool
	cause  error // of the end
	whole  context.Context
	cancel context.CancelCauseFunc
}

// detach makes d the context of something that caller has begun. Whoever detaches a context ends it.
func (d *detached) detach(caller context.Context, deadline time.Time) {
	d.caller, d.deadline = caller, deadline
}

// end cancels the context. Like every cancellation, only the first counts; if the deadline is over and nobody has seen that, this is the first.
func (d *detached) end(cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	d.ended, d.cause = true, cause
	if d.whole != nil {
		d.cancel(cause)
	}
}

func (d *detached) over() bool { return !time.Now().Before(d.deadline) }

// make makes the whole context, if there is none. mu is held.
func (d *detached) make() context.Context {
	if d.whole != nil {
		return d.whole
	}
	cancellable, cancel := context.WithCancelCause(context.WithoutCancel(d.caller))
	if d.ended {
		cancel(d.cause)
	}
	whole, stop := context.WithDeadlineCause(cancellable, d.deadline, d.late)
	d.whole, d.cancel = whole, func(cause error) {
		cancel(cause)
		stop()
	}
	return whole
}

func (d *detached) wholly() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.make()
}

// Deadline implements [context.Context].
func (d *detached) Deadline() (time.Time, bool) { return d.deadline, true }

// Done implements [context.Context].
func (d *detached) Done() <-chan struct{} { return d.wholly().Done() }

// Err implements [context.Context].
func (d *detached) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.whole == nil && !d.ended && !d.over() {
		return nil
	}
	return d.make().Err()
}

// Value implements [context.Context]. The values are the caller's, the reason of an end is not.
func (d *detached) Value(key any) any {
	if _, asked := key.(runKey); asked && d.run != nil {
		return d.run
	}
	d.mu.Lock()
	whole := d.whole
	if whole == nil && (d.ended || d.over()) {
		whole = d.make()
	}
	d.mu.Unlock()
	if whole == nil {
		whole = context.WithoutCancel(d.caller)
	}
	return whole.Value(key)
}

// String is what fmt prints: without it fmt would read the fields, which others are changing.
func (d *detached) String() string { return "onceward.detached" }
