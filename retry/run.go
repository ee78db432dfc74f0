package retry

import (
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward"
)

// run is one pass through the loop, of one goroutine.
type run struct {
	loop    *Loop
	op      Operation
	began   stopwatch
	closed  bool
	clean   bool // no other send of this operation is under way, or may have arrived
	count   int  // attempts, polls included
	retries int  // attempts after the first, polls not included
	doubt   bool
	proof   Proof // of the last attempt
	first   time.Time
	log     []Attempt
	room    [1]Attempt // of log: most often there is one

	now   Attempt // the attempt at hand, or the last one
	watch stopwatch
	last  Ending
	row   Row
}

func (l *Loop) begin(op Operation) *run {
	if op.History == nil {
		op.History = NewHistory(time.Time{}, false)
	}
	op.History.Anchor(l.config.Clock)
	clean := op.History.begin()
	r := &run{loop: l, op: op, clean: clean, began: startWatch(l.config.Clock), proof: Clear}
	r.log = r.room[:0]
	return r
}

// abandon closes the books if try panicked: it may have sent anything.
func (r *run) abandon() {
	if !r.closed {
		r.op.History.end(Doubtful)
	}
}

func (r *run) policy() Policy { return r.loop.config.Policy }

func (r *run) left() time.Duration { return r.loop.horizon - r.began.elapsed(r.loop.config.Clock) }

// record learns from the attempt that has just ended and says what follows from it.
func (r *run) record(ctx context.Context, e Ending) Next {
	r.last, r.row = e, rowOf(e.End)
	r.op.History.LearnWindow(e.Window)
	r.proof = r.row.proof(e, r.op.Minted)
	r.doubt = r.doubt || r.proof == Doubtful
	if r.first.IsZero() {
		r.first = r.now.Start
	}
	r.now.Took = r.watch.elapsed(r.loop.config.Clock)
	r.now.End, r.now.Sends, r.now.Err, r.now.Next = e.End, e.Sends, e.Err, r.row.Next
	if r.row.Next == Final {
		r.note(ctx)
	}
	return r.row.Next
}

// note writes the attempt at hand down, once it is known how long the wait after it is.
func (r *run) note(ctx context.Context) {
	if len(r.log) == MaxAttemptsKept {
		// The first half stays: it tells how it began. The latest push out those in between.
		copy(r.log[MaxAttemptsKept/2:], r.log[MaxAttemptsKept/2+1:])
		r.log = r.log[:MaxAttemptsKept-1]
	}
	r.log = append(r.log, r.now)
	r.loop.config.Observer.attempt(ctx, r.op.Key, r.now)
}

// pause waits for the next attempt. An error says why there will be none.
func (r *run) pause(ctx context.Context) error {
	wait, stop := r.plan(ctx)
	if stop == nil {
		r.now.Wait = wait
	}
	r.note(ctx)
	if stop != nil {
		return stop
	}
	if err := r.loop.config.Clock.Sleep(ctx, wait); err != nil {
		return ended(ctx, err)
	}
	// The machine may have slept longer than this process knows.
	return r.mayGoOn(ctx, 0)
}

func (r *run) plan(ctx context.Context) (time.Duration, error) {
	if ctx.Err() != nil {
		return 0, ended(ctx, ctx.Err())
	}
	p := r.policy()
	poll := r.row.Next == Poll
	switch {
	case r.op.Kind == Unkeyed && r.last.End != EndNotSent:
		return 0, ErrNotRepeatable
	case !poll && r.retries+1 >= p.Attempts:
		return 0, ErrAttemptsSpent
	case r.last.RetryAfter > p.RetryAfterCap:
		return 0, ErrRetryAfter
	}
	wait := r.last.RetryAfter + r.jitter(p, poll)
	if stop := r.mayGoOn(ctx, wait); stop != nil {
		return 0, stop
	}
	if poll {
		return wait, nil
	}
	// Last, so that no token is spent for an attempt that is not made.
	if !r.loop.config.Budget.take(r.op.Host) {
		return 0, ErrBudgetSpent
	}
	r.retries++
	return wait, nil
}

// jitter comes on top of what the server asked for: those whom it sent away together must not come back together.
func (r *run) jitter(p Policy, poll bool) time.Duration {
	random := r.loop.config.Rand()
	switch {
	case poll:
		return pollPause(p.PollInterval, random)
	case r.row.Pace == Overload:
		return backoff(p.OverloadBase, p.Cap, r.retries, random)
	}
	return backoff(p.Base, p.Cap, r.retries, random)
}

// mayGoOn says whether an attempt after wait would still be in time.
func (r *run) mayGoOn(ctx context.Context, wait time.Duration) error {
	if ctx.Err() != nil {
		return ended(ctx, ctx.Err())
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return errors.Join(ErrDeadline, context.DeadlineExceeded)
	}
	if r.left() <= wait {
		return ErrHorizon
	}
	return r.inWindow(wait)
}

// mayBegin is mayGoOn for the first attempt.
func (r *run) mayBegin(ctx context.Context) error {
	if ctx.Err() != nil {
		return ended(ctx, ctx.Err())
	}
	if r.op.Kind == Unkeyed && !r.clean {
		return ErrNotRepeatable
	}
	return r.inWindow(0)
}

func (r *run) inWindow(wait time.Duration) error {
	if r.op.Kind == Keyed && r.op.History.age(r.loop.config.Clock)+wait >= r.loop.window(r.op.History) {
		return ErrWindow
	}
	return nil
}

// ended joins the caller's reason for ending ctx, if it gave one.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return errors.Join(err, cause)
	}
	return err
}

// finish closes a run whose last attempt was final.
func (r *run) finish(ctx context.Context) error {
	fate := r.close(r.proof)
	if r.op.Kind == Safe && r.last.Replied || r.row.Answer && fate == onceward.Executed {
		r.loop.config.Budget.success(r.op.Host)
		return nil
	}
	return r.fail(ctx, fate, nil)
}

// stop closes a run that ends for another reason than its last attempt.
func (r *run) stop(ctx context.Context, reason error) error {
	proof := r.proof
	if r.count == 0 && !r.op.Minted && errors.Is(reason, ErrWindow) {
		proof = Doubtful // an old key of the caller's own has had its time to be used
	}
	fate := r.close(proof)
	if r.op.Kind == Safe && r.count > 0 && r.last.Replied {
		return nil
	}
	return r.fail(ctx, fate, reason)
}

// close folds the attempts: one doubtful attempt outweighs all others that know only of themselves.
func (r *run) close(proof Proof) onceward.Fate {
	r.closed = true
	fate := Doubtful
	switch {
	case proof == Proven || proof == Refuted:
		fate = proof
	case !r.doubt:
		fate = proof
	}
	return r.op.History.end(fate)
}

func (r *run) fail(ctx context.Context, fate onceward.Fate, stop error) error {
	age, window := r.op.History.age(r.loop.config.Clock), r.loop.window(r.op.History)
	e := &Error{
		Key: r.op.Key, Host: r.op.Host, Attempts: r.log, Count: r.count, FirstSent: r.first,
		Age: age, Window: window, Stop: stop, fate: fate,
		Hint: hintFor(fate, window-age, r.op.Kind, r.proof == Refuted),
	}
	if r.row.Err != nil && !errors.Is(r.last.Err, r.row.Err) {
		e.causes = append(e.causes, r.row.Err)
	}
	if r.last.Err != nil {
		e.causes = append(e.causes, r.last.Err)
	}
	r.loop.config.Observer.gaveUp(ctx, e)
	return e
}
