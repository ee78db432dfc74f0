package onceward

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onceward/onceward/store"
)

var (
	errHandlerLimit = errors.New("onceward: the handler limit is over")
	errReplaced     = errors.New("onceward: another owner has taken the record over")
)

// run calls the function as the record's owner and settles how it ended.
func (p *pass) run(ctx context.Context, r store.Record, claim store.ClaimRequest) (Result, error) {
	g := p.g
	own := &owner{pass: p, token: claim.Token, validUntil: claim.ValidUntil, doubted: r.Doubted}
	p.doubted = r.Doubted
	var start func(context.Context) error
	if g.cfg.ExplicitStart && r.State == store.Claimed {
		start = own.start
	}
	own.run.init(p.call, start)
	running := &own.running
	running.run, running.late = &own.run, errHandlerLimit
	began := time.Now()
	running.detach(ctx, began.Add(g.cfg.HandlerLimit))
	defer running.end(nil)
	beat := own.beat(claim.Lease)

	returned := false
	defer func() {
		if !returned { // the function panicked, or ended its goroutine; the panic goes on
			p.alone = true
			p.ran = time.Since(began)
			beat.functionEnded()
			own.abandon(ctx)
			beat.stop()
			g.cfg.Observer.call(ctx, CallEvent{
				Service: p.who.Service, ID: p.who.ID, Key: p.call.Key, Doubted: p.doubted, Ran: p.ran,
				Err: &Error{Op: "run", Key: p.call.Key, Err: ErrOutcomeUnknown, Hint: "the function panicked"},
			})
		}
	}()
	out := p.fn(running, Attempt{N: 1, Doubted: r.Doubted, MaxReply: g.cfg.MaxReply})
	returned = true
	own.ended = time.Now()
	p.ran = own.ended.Sub(began)
	g.observe(p.ran)
	beat.functionEnded()
	defer beat.stop()
	return own.settle(ctx, out)
}

// owner is a call that holds the record.
type owner struct {
	*pass
	token      store.Token
	validUntil store.Time
	doubted    bool
	run        Run
	running    detached  // the function's context
	ended      time.Time // when the function returned
	saving     detached  // context of its first save
	heartbeat  heartbeat
}

// settle carries the function's outcome to the record and answers from it.
func (o *owner) settle(ctx context.Context, out Outcome) (Result, error) {
	o.alone = o.alone || out.Alone
	switch out.Ending {
	case EndSave, EndSaveNotKept:
		if !o.run.Started() {
			return o.notStarted(ctx)
		}
		return o.save(ctx, out)
	case EndReject:
		return o.save(ctx, out)
	case EndFree:
		return o.free(ctx, out)
	}
	if o.run.NoEffect() {
		return o.free(ctx, out)
	}
	o.yield(ctx)
	if out.Err == nil && out.Ending == EndDoubt {
		return Result{Reply: out.Reply, Standing: Doubted}, nil
	}
	return o.unknown(out.Err)
}

// notStarted: a success without Start. Something may have happened although the record says that nothing has; so the record is made
// to say unknown, where a person will find it.
func (o *owner) notStarted(ctx context.Context) (Result, error) {
	o.g.cfg.Observer.alarm(ctx, AlarmEvent{Alarm: AlarmNotStarted, Service: o.who.Service, ID: o.who.ID, Key: o.call.Key, Err: ErrNotStarted})
	switch err := o.start(ctx); {
	case err == nil:
		o.yield(ctx)
	case errors.Is(err, ErrStoreUnavailable):
		o.g.settle(unsettled{who: o.who, ask: store.AdvanceRequest{Identity: o.who, Token: o.token, Op: store.OpStart, Lease: time.Millisecond}})
	}
	return Result{}, &Error{Op: "run", Key: o.call.Key, Err: ErrNotStarted, Cause: ErrOutcomeUnknown,
		Hint: "with Config.ExplicitStart the function calls onceward.Start before its first effect"}
}

// free gives the key back. The caller gets its reply also if the store does not answer: then the release goes on behind its back.
func (o *owner) free(ctx context.Context, out Outcome) (Result, error) {
	q := store.AdvanceRequest{Identity: o.who, Token: o.token, Op: store.OpRelease, ValidUntil: o.validUntil}
	answer, err := o.advance(ctx, q)
	switch {
	case err != nil:
		o.g.settle(unsettled{who: o.who, ask: q})
	case answer.Verdict == store.Lost:
		return o.lost(ctx, answer.Record, false)
	}
	if o.doubted { // an earlier owner may have had its effect, whatever this run did
		if out.Err == nil {
			return Result{Reply: out.Reply, Standing: Doubted}, nil
		}
		return o.unknown(out.Err)
	}
	if out.Err == nil {
		return Result{Reply: out.Reply, Standing: Freed}, nil
	}
	return Result{}, &Error{Op: "run", Key: o.call.Key, Err: ErrFreed, Cause: out.Err, Hint: "the same key may be sent again"}
}

// abandon settles a run that has no outcome: a panic is a doubt, unless the function had said that nothing took effect.
func (o *owner) abandon(ctx context.Context) {
	if o.run.NoEffect() {
		_, _ = o.free(ctx, FreeError(nil))
		return
	}
	o.yield(ctx)
}

// yield ends the lease now. If the store does not answer, the lease ends by itself.
func (o *owner) yield(ctx context.Context) {
	_, _ = o.advance(ctx, store.AdvanceRequest{Identity: o.who, Token: o.token, Op: store.OpYield})
}

// start passes the record's start.
func (o *owner) start(ctx context.Context) error {
	q := store.AdvanceRequest{Identity: o.who, Token: o.token, Op: store.OpStart, Lease: o.g.cfg.Lease}
	var err error
	for range 2 { // a start whose answer was lost may be repeated with the same token
		var answer store.Answer
		if answer, err = o.advance(ctx, q); err == nil {
			if answer.Verdict == store.Applied {
				return nil
			}
			return &Error{Op: "start", Key: o.call.Key, Err: ErrInProgress, Cause: errReplaced, Hint: "do nothing irreversible and return"}
		}
	}
	return &Error{Op: "start", Key: o.call.Key, Err: ErrStoreUnavailable, Cause: err, Hint: "do nothing irreversible and return"}
}

// advance is one step of the owner, detached from the caller's context and bounded.
func (o *owner) advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	bounded := &o.saving
	if q.Op != store.OpComplete || bounded.caller != nil { // the heartbeat may be at work, and a store may still look at the one it was given before
		bounded = &detached{}
	}
	bounded.detach(ctx, time.Now().Add(o.g.cfg.StoreTimeout))
	defer bounded.end(nil)
	return o.g.store.Advance(bounded, q)
}

// heldBy describes for an alarm who has the record instead of us.
func heldBy(r store.Record) error {
	return fmt.Errorf("the record is %v at version %d, held by another token", r.State, r.Version)
}
