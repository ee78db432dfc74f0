package onceward

import (
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward/store"
)

// Do implements [Executor].
func (g *Guard) Do(ctx context.Context, call Call, fn func(context.Context, Attempt) Outcome) (Result, error) {
	who, err := g.identify(call)
	if err != nil {
		return Result{}, err
	}
	if err := g.enter(); err != nil {
		return Result{}, err
	}
	defer g.calls.Done()
	p := &pass{g: g, call: call, who: who, fn: fn, arrived: time.Now()}
	result, err := p.do(ctx)
	g.cfg.Observer.call(ctx, CallEvent{
		Service: who.Service, ID: who.ID, Key: call.Key, Standing: result.Standing, Replayed: result.Replayed,
		Doubted: p.doubted, Waited: p.waited, Ran: p.ran, Err: err,
	})
	return result, err
}

// identify names the operation; scope and key must be whole.
func (g *Guard) identify(call Call) (store.Identity, error) {
	if call.Key.IsZero() {
		return store.Identity{}, &Error{Op: "do", Err: ErrKeyMissing, Hint: "send a unique key with each operation"}
	}
	if err := call.Scope.Validate(); err != nil {
		return store.Identity{}, &Error{Op: "do", Key: call.Key, Err: ErrScopeInvalid, Cause: err, Hint: "the scope names the service and who calls; both are required"}
	}
	who := call.Scope.Identity(call.Key)
	if who.Stamp == 0 && g.cfg.UUIDv7Aged {
		if at, ok := call.Key.UUIDv7Time(); ok {
			who.Stamp = store.TimeOf(at)
		}
	}
	return who, nil
}

// pass is the way of one call through the guard.
type pass struct {
	g       *Guard
	call    Call
	who     store.Identity
	fn      func(context.Context, Attempt) Outcome
	arrived time.Time
	flight  flight   // that it leads
	asking  detached // context of its first claim

	waited  time.Duration
	ran     time.Duration
	doubted bool
	alone   bool // what came out is for this call only
	told    bool // it is what the record says: it holds for everybody who waits
}

// do joins the operation's flight, or leads it.
func (p *pass) do(ctx context.Context) (Result, error) {
	if p.call.Fingerprint.isZero() {
		return Result{}, &Error{Op: "do", Key: p.call.Key, Err: ErrConfig, Hint: "Call.Fingerprint is empty: use HTTPFingerprint or BytesFingerprint"}
	}
	for {
		if err := ctx.Err(); err != nil {
			return Result{}, p.interrupted(ctx)
		}
		f, leads := p.g.flights.join(p.who.ID, p.call.Fingerprint.sums[0], &p.flight)
		switch {
		case leads:
			return p.leadFlight(ctx)
		case f == nil:
			return p.lead(ctx)
		}
		result, ok, err := f.follow(ctx, p.waitLeft(), p.call.ReadOnly)
		p.waited = time.Since(p.arrived)
		switch {
		case !ok:
			continue
		case errors.Is(err, errPatience):
			return Result{}, p.inProgress()
		case errors.Is(err, errLeft):
			return Result{}, p.interrupted(ctx)
		}
		return result, err
	}
}

// leadFlight leads and lands, also when the function panics.
func (p *pass) leadFlight(ctx context.Context) (result Result, err error) {
	shared := false
	defer func() { p.g.flights.land(p.who.ID, &p.flight, result, err, shared, p.call.ReadOnly) }()
	result, err = p.lead(ctx)
	shared = !p.alone && (err == nil && !result.NotKept || errors.Is(err, ErrStoreUnavailable) || p.told)
	return result, err
}

// lead claims until the record gives an answer, or the patience ends.
func (p *pass) lead(ctx context.Context) (Result, error) {
	if p.g.settler.full() {
		return Result{}, p.unavailable(nil, "too many records wait for the store")
	}
	token, err := p.g.tokens.draw()
	if err != nil {
		return Result{}, p.unavailable(err, "the source of randomness failed")
	}
	poll := newPoll()
	for {
		answer, claim, err := p.claim(ctx, token)
		if err != nil {
			return Result{}, err
		}
		switch answer.Verdict {
		case store.Granted, store.TakenOver:
			return p.run(ctx, answer.Record, claim)
		case store.InFlight:
			if err := p.wait(ctx, answer, poll); err != nil {
				return Result{}, err
			}
		default:
			p.told = answer.Verdict == store.Replay || answer.Verdict == store.Unknown
			return p.answer(answer)
		}
	}
}

func (p *pass) waitLeft() time.Duration {
	if p.g.cfg.Wait == NoWait {
		return 0
	}
	return p.g.cfg.Wait - time.Since(p.arrived)
}

// wait waits for the record to change: for the store's hint, the end of the other's lease, or the next poll.
func (p *pass) wait(ctx context.Context, answer store.Answer, poll *poll) error {
	left := p.waitLeft()
	if left <= 0 {
		return p.inProgress()
	}
	lease := max(answer.Record.Lease.Sub(answer.Now), time.Millisecond)
	bounded, cancel := context.WithTimeout(ctx, min(left, lease, poll.next()))
	defer cancel()
	err := p.g.store.Wait(bounded, p.who, answer.Record.Version)
	if err != nil && bounded.Err() == nil {
		<-bounded.Done() // a store that cannot wait must not make us spin
	}
	p.waited = time.Since(p.arrived)
	if ctx.Err() != nil {
		return p.interrupted(ctx)
	}
	return nil
}
