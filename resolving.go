package onceward

import (
	"context"
	"errors"
	"fmt"

	"github.com/onceward/onceward/store"
)

// UnknownsRequest selects operations whose outcome is unknown.
type UnknownsRequest struct {
	Service   string // "": all
	Principal string // "": all
	Cursor    string // from the last page
	Limit     int    // default DefaultPage, at most store.MaxPage
}

// Unknowns lists operations that started and whose owner has gone without a reply, the oldest first.
func (g *Guard) Unknowns(ctx context.Context, q UnknownsRequest) (store.Page, error) {
	return g.Records(ctx, RecordsRequest{
		Class: store.ClassUnknown, Service: q.Service, Principal: q.Principal, Cursor: q.Cursor, Limit: q.Limit,
	})
}

// Resolution is what somebody found out about an unknown operation.
type Resolution struct {
	Record   store.Record // as [Guard.Unknowns] or [Guard.Show] gave it; its version is the precondition
	Happened bool
	Reply    *Reply // Happened: what callers shall get from now on; nil: they are told that the reply was not kept
	Attested bool   // not Happened: the actor attests that no earlier owner can act any more, so a new key is safe
	Actor    string // who decides; required
	Reason   string // why; required
}

// Resolve settles an unknown operation for ever. The key never becomes free: its old owner may only be stalled. Against a late owner exactly
// one wins; if that is not this resolution, the error wraps [ErrConflict], and the record is what was found.
func (g *Guard) Resolve(ctx context.Context, r Resolution) (store.Record, error) {
	q := store.DecideRequest{
		Identity: r.Record.Identity, Decision: store.DidNotHappen, Version: r.Record.Version, Attested: r.Attested, Actor: r.Actor, Reason: r.Reason,
	}
	switch {
	case r.Happened && r.Attested:
		return store.Record{}, &Error{Op: "resolve", Err: ErrConfig, Hint: "Attested goes with an operation that did not happen"}
	case !r.Happened && r.Reply != nil:
		return store.Record{}, &Error{Op: "resolve", Err: ErrConfig, Hint: "Reply goes with an operation that happened"}
	case r.Happened:
		q.Decision = store.Happened
	}
	if r.Reply != nil {
		if n := r.Reply.Size(); n > g.cfg.MaxReply {
			return store.Record{}, &Error{Op: "resolve", Err: ErrConfig, Hint: fmt.Sprintf("Reply has %d bytes, encoded: at most %d are kept", n, g.cfg.MaxReply)}
		}
		var err error
		if q.Reply, err = r.Reply.AppendBinary(nil); err != nil {
			return store.Record{}, &Error{Op: "resolve", Err: ErrConfig, Cause: err}
		}
	}
	return g.decide(ctx, "resolve", q)
}

// Release gives a claim back whose owner is gone and never started.
type Release struct {
	Record store.Record // as [Guard.Records] or [Guard.Show] gave it; its version is the precondition
	Actor  string       // who decides; required
	Reason string       // why; required
}

// Release frees the key of a record that is Claimed and lapsed: its token's start fails from here on, so nothing can have taken effect.
// Whatever has started is refused: it is resolved, never freed. A refusal wraps [ErrConflict], with the record that was found.
func (g *Guard) Release(ctx context.Context, r Release) (store.Record, error) {
	return g.decide(ctx, "release", store.DecideRequest{
		Identity: r.Record.Identity, Decision: store.ReleaseClaim, Version: r.Record.Version, Actor: r.Actor, Reason: r.Reason,
	})
}

// Cancellation names an operation that shall not run any more.
type Cancellation struct {
	Scope  Scope
	Key    Key
	Actor  string // who decides; required
	Reason string // why; required
}

// Cancel makes sure that an operation will not run under its key, or tells what is in the way: an absent key is made Done, so that a late
// copy cannot run afterwards, and so is a claim that lapsed before its start. Everything else is left alone: the error wraps [ErrConflict],
// with the record that was found, or is [ErrKeyExpired] or [ErrKeyFromFuture].
func (g *Guard) Cancel(ctx context.Context, c Cancellation) (store.Record, error) {
	who, err := g.named("cancel", c.Scope, c.Key)
	if err != nil {
		return store.Record{}, err
	}
	return g.decide(ctx, "cancel", store.DecideRequest{Identity: who, Decision: store.Cancel, Actor: c.Actor, Reason: c.Reason})
}

// decide carries out what a person has decided.
func (g *Guard) decide(ctx context.Context, op string, q store.DecideRequest) (store.Record, error) {
	if q.Actor == "" || q.Reason == "" {
		return store.Record{}, &Error{Op: op, Err: ErrConfig, Hint: "say who decides and why: Actor and Reason are required"}
	}
	var err error
	if q.Token, err = g.tokens.draw(); err != nil {
		return store.Record{}, deskError(op, err)
	}
	q.Window, q.Guard = g.cfg.Window, g.cfg.Skew
	answer, err := g.store.Decide(ctx, q)
	if err != nil {
		return store.Record{}, deskError(op, err)
	}
	if answer.Record.State == store.Absent {
		answer.Record.Identity = q.Identity
	}
	switch answer.Verdict {
	case store.Applied:
		return answer.Record, nil
	case store.Expired:
		return answer.Record, &Error{Op: op, Err: ErrKeyExpired, Hint: "the key is sealed or older than the window: it is not admitted any more"}
	case store.FromFuture:
		return answer.Record, &Error{Op: op, Err: ErrKeyFromFuture, Hint: "correct the client's clock"}
	}
	return answer.Record, &Error{Op: op, Err: ErrConflict, Hint: inTheWay(answer.Verdict)}
}

// inTheWay says what a decision met instead of what it was for, and what to do.
func inTheWay(v store.Verdict) string {
	switch v {
	case store.Replay:
		return "it is done already; look at how it ended"
	case store.InFlight:
		return "its owner is at work; wait for it"
	case store.Unknown:
		return "it has started and its outcome is unknown; resolve it"
	case store.Lapsed:
		return "it was claimed and never started; release or cancel it"
	case store.Absence:
		return "there is no record of it"
	case store.Conflict:
		return "the record has changed since that version; look again"
	}
	return "found " + v.String() + "; look again"
}

// deskError wraps what a store answered to a person.
func deskError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrInvalid), errors.Is(err, store.ErrUnsupported):
		return &Error{Op: op, Err: ErrConfig, Cause: err}
	case errors.Is(err, store.ErrFull):
		return &Error{Op: op, Err: ErrStoreUnavailable, Cause: err, Hint: "the store is full; nothing was changed"}
	}
	return &Error{Op: op, Err: ErrStoreUnavailable, Cause: err, Hint: "it may or may not have been carried out; look again"}
}
