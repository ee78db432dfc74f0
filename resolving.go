package onceward

import (
	"context"
	"errors"

	"github.com/onceward/onceward/store"
)

// UnknownsRequest selects operations whose outcome is unknown.
type UnknownsRequest struct {
	Service   string // "": all
	Principal string // "": all
	Cursor    string // from the last page
	Limit     int    // default 100, at most store.MaxPage
}

// Unknowns lists operations that started and whose owner has gone without a reply, the oldest first.
func (g *Guard) Unknowns(ctx context.Context, q UnknownsRequest) (store.Page, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := g.store.List(ctx, store.ListRequest{
		Class: store.ClassUnknown, Service: q.Service, Principal: q.Principal, Cursor: q.Cursor, Limit: q.Limit,
	})
	return page, deskError("list", err)
}

// Resolution is what somebody found out about an unknown operation.
type Resolution struct {
	Record   store.Record // as [Guard.Unknowns] listed it; its version is the precondition
	Happened bool
	Reply    *Reply // Happened: what callers shall get from now on; nil: they are told that the reply was not kept
	Attested bool   // not Happened: the actor attests that no earlier owner can act any more, so a new key is safe
	Actor    string // who decides; required
	Reason   string // why; required
}

// Resolve settles an unknown operation for ever. The key never becomes free: its old owner may only be stalled. Against a late owner exactly
// one wins; if that is not this resolution, the error wraps [ErrConflict].
func (g *Guard) Resolve(ctx context.Context, r Resolution) (store.Record, error) {
	if r.Actor == "" || r.Reason == "" {
		return store.Record{}, &Error{Op: "resolve", Err: ErrConfig, Hint: "say who resolves and why: Actor and Reason are required"}
	}
	token, err := g.tokens.draw()
	if err != nil {
		return store.Record{}, deskError("resolve", err)
	}
	q := store.DecideRequest{
		Identity: r.Record.Identity, Token: token, Decision: store.DidNotHappen, Version: r.Record.Version, Attested: r.Attested,
		Actor: r.Actor, Reason: r.Reason, Window: g.cfg.Window, Guard: g.cfg.Skew,
	}
	if r.Happened {
		q.Decision = store.Happened
		if r.Reply != nil {
			if q.Reply, err = r.Reply.AppendBinary(nil); err != nil {
				return store.Record{}, deskError("resolve", err)
			}
		}
	}
	answer, err := g.store.Decide(ctx, q)
	if err != nil {
		return store.Record{}, deskError("resolve", err)
	}
	if answer.Verdict != store.Applied {
		return answer.Record, &Error{Op: "resolve", Err: ErrConflict, Hint: "found " + answer.Verdict.String() + "; look again"}
	}
	return answer.Record, nil
}

// deskError wraps what a store answered to a person.
func deskError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrInvalid):
		return &Error{Op: op, Err: ErrConfig, Cause: err}
	}
	return &Error{Op: op, Err: ErrStoreUnavailable, Cause: err, Hint: "nothing may have been changed; look again"}
}
