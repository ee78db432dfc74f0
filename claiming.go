package onceward

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward/store"
)

// claim asks the store for the record. It is detached from the caller's context: a caller that hangs up would leave it open
// whether we hold the record.
func (p *pass) claim(ctx context.Context, token store.Token) (store.Answer, store.ClaimRequest, error) {
	cfg := &p.g.cfg
	q := store.ClaimRequest{
		Identity:     p.who,
		Token:        token,
		Fingerprints: p.call.Fingerprint.sums[:],
		Hint:         p.call.Fingerprint.Hint(),
		Policy:       cfg.OnLapse,
		Start:        !cfg.ExplicitStart,
		Lease:        cfg.Lease,
		Window:       cfg.Window,
		Guard:        cfg.Skew,
		Horizon:      p.call.Horizon,
		Reserve:      cfg.Reserve,
	}
	bounded := &p.asking
	for range 3 { // Stale with a fresh request means that our idea of the store's clock was wrong; the answer corrects it
		sent := time.Now()
		q.ValidUntil = p.g.clock.at(sent.Add(cfg.StoreTimeout))
		if bounded.caller != nil { // a store may still look at the one it was given before
			bounded = &detached{}
		}
		bounded.detach(ctx, sent.Add(cfg.StoreTimeout))
		answer, err := p.g.store.Claim(bounded, q)
		bounded.end(nil)
		if err != nil {
			return store.Answer{}, q, p.claimFailed(q, err)
		}
		p.g.clock.learn(answer.Now, sent)
		if answer.Verdict != store.Stale {
			return answer, q, nil
		}
	}
	return store.Answer{}, q, p.unavailable(nil, "the store's clock and answers are too far apart")
}

// claimFailed handles a claim whose outcome is open: nothing ran, so it is taken back, for as long as it takes.
func (p *pass) claimFailed(q store.ClaimRequest, err error) error {
	switch {
	case errors.Is(err, store.ErrFull):
		return p.unavailable(err, "the store is full; retry the same key later")
	case errors.Is(err, store.ErrInvalid):
		return &Error{Op: "claim", Key: p.call.Key, Err: ErrConfig, Cause: err}
	case !errors.Is(err, store.ErrClosed):
		p.g.release(p.who, q)
	}
	return p.unavailable(err, "retry the same key")
}

// release takes a claim back behind the caller's back until the store answers.
func (g *Guard) release(who store.Identity, q store.ClaimRequest) {
	g.settle(unsettled{who: who, ask: store.AdvanceRequest{Identity: who, Token: q.Token, Op: store.OpRelease, ValidUntil: q.ValidUntil}})
}

// answer turns a verdict that needs no run into a reply or an error.
func (p *pass) answer(a store.Answer) (Result, error) {
	fail := func(err error, safe bool, hint string) (Result, error) {
		return Result{}, &Error{Op: "claim", Key: p.call.Key, Err: err, SafeNewKey: safe, Hint: hint}
	}
	switch a.Verdict {
	case store.Replay:
		return p.replay(a.Record)
	case store.Unknown:
		return p.unknown(nil)
	case store.Mismatch:
		hint := "a key belongs to one request; send another request under a new key"
		if h := p.call.Fingerprint.Hint(); h != 0 && h == a.Record.Hint {
			hint = "the body is the same JSON in another order of members; send the same bytes each time"
		}
		return fail(ErrKeyReused, false, hint)
	case store.Incomparable:
		return Result{}, p.unavailable(nil, "the record was written by a newer version of this server; retry the same key")
	case store.Expired:
		return fail(ErrKeyExpired, false, "the key is older than the window; find out whether the operation happened before sending it under a new key")
	case store.FromFuture:
		return fail(ErrKeyFromFuture, false, "correct the client's clock")
	case store.HorizonTooLong:
		return fail(ErrHorizonTooLong, false, "retry for a shorter time, or have the server's window raised to "+p.call.Horizon.String())
	}
	return Result{}, p.unavailable(nil, "the store answered "+a.Verdict.String()+" to a claim; retry the same key")
}

// replay gives the record's reply.
func (p *pass) replay(r store.Record) (Result, error) {
	fail := func(err error, safe bool, hint string) (Result, error) {
		return Result{}, &Error{Op: "replay", Key: p.call.Key, Err: err, SafeNewKey: safe, Hint: hint}
	}
	switch r.End {
	case store.EndReply:
		reply, err := DecodeReply(r.Reply)
		if !p.call.ReadOnly { // whoever changes it must not change the record
			reply.Body = bytes.Clone(reply.Body)
		}
		if err != nil {
			return Result{}, &Error{Op: "replay", Key: p.call.Key, Err: ErrReplyNotKept, Cause: err, Hint: "the operation is done, its saved reply is damaged"}
		}
		return Result{Reply: reply, Standing: Saved, Replayed: true}, nil
	case store.EndCancelled:
		return fail(ErrNotExecuted, r.SafeNewKey, "the operation was cancelled")
	case store.EndNotExecuted:
		return fail(ErrNotExecuted, r.SafeNewKey, "an operator found that it did not happen")
	}
	return fail(ErrReplyNotKept, false, "the operation is done; read its result from the service")
}

func (p *pass) unknown(cause error) (Result, error) {
	hint := "the operation may or may not have taken effect; ask again later with the same key, or have it resolved"
	return Result{}, &Error{Op: "claim", Key: p.call.Key, Err: ErrOutcomeUnknown, Cause: cause, Hint: hint}
}

func (p *pass) unavailable(cause error, hint string) error {
	return &Error{Op: "claim", Key: p.call.Key, Err: ErrStoreUnavailable, Cause: cause, Hint: hint, RetryAfter: time.Second}
}

func (p *pass) inProgress() error {
	return &Error{Op: "wait", Key: p.call.Key, Err: ErrInProgress, RetryAfter: p.g.retryAfter(), Hint: "another call is carrying it out; ask again with the same key"}
}

func (p *pass) interrupted(ctx context.Context) error {
	return &Error{Op: "wait", Key: p.call.Key, Err: ErrInProgress, Cause: context.Cause(ctx), RetryAfter: p.g.retryAfter(), Hint: "the caller stopped waiting; ask again with the same key"}
}
