package pgstore

import (
	"context"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// answer turns what a record says into a reply or an error.
func (p *pass) answer(a store.Answer) (onceward.Result, error) {
	p.told = a.Verdict == store.Replay || a.Verdict == store.Unknown
	fail := func(err error, hint string) (onceward.Result, error) {
		return onceward.Result{}, p.refuse(err, false, hint)
	}
	switch a.Verdict {
	case store.Replay:
		return p.replay(a.Record)
	case store.InFlight: // the record store's: its owner holds no lock, and is not waited for
		return onceward.Result{}, p.inProgress(nil)
	case store.Unknown:
		return fail(onceward.ErrOutcomeUnknown, "the operation may or may not have taken effect; ask again later with the same key, or have it resolved")
	case store.Mismatch:
		if h := p.call.Fingerprint.Hint(); h != 0 && h == a.Record.Hint {
			return fail(onceward.ErrKeyReused, "the body is the same JSON in another order of members; send the same bytes each time")
		}
		return fail(onceward.ErrKeyReused, "a key belongs to one request; send another request under a new key")
	case store.Incomparable:
		return onceward.Result{}, p.unavailable(nil, "the record was written by a newer version of this server; retry the same key")
	case store.Expired:
		return fail(onceward.ErrKeyExpired, "the key is older than the window; find out whether the operation happened before sending it under a new key")
	case store.FromFuture:
		return fail(onceward.ErrKeyFromFuture, "correct the client's clock")
	case store.HorizonTooLong:
		return fail(onceward.ErrHorizonTooLong, "retry for a shorter time, or have the server's window raised to "+p.call.Horizon.String())
	}
	return onceward.Result{}, p.unavailable(nil, "the record answered "+a.Verdict.String()+"; retry the same key")
}

// replay gives the record's reply.
func (p *pass) replay(r store.Record) (onceward.Result, error) {
	switch r.End {
	case store.EndReply:
		reply, err := onceward.DecodeReply(r.Reply) // the bytes are ours alone: they came over the wire just now
		if err != nil {
			return onceward.Result{}, &onceward.Error{Op: "replay", Key: p.call.Key, Err: onceward.ErrReplyNotKept, Cause: err,
				Hint: "the operation is done, its saved reply is damaged"}
		}
		return onceward.Result{Reply: reply, Standing: onceward.Saved, Replayed: r.Token != p.token}, nil
	case store.EndCancelled:
		return onceward.Result{}, p.refuse(onceward.ErrNotExecuted, r.SafeNewKey, "the operation was cancelled")
	case store.EndNotExecuted:
		return onceward.Result{}, p.refuse(onceward.ErrNotExecuted, r.SafeNewKey, "an operator found that it did not happen")
	}
	return onceward.Result{}, p.refuse(onceward.ErrReplyNotKept, false, "the operation is done; read its result from the service")
}

func (p *pass) refuse(err error, safe bool, hint string) error {
	return &onceward.Error{Op: "claim", Key: p.call.Key, Err: err, SafeNewKey: safe, Hint: hint}
}

func (p *pass) unavailable(cause error, hint string) error {
	return &onceward.Error{Op: "claim", Key: p.call.Key, Err: onceward.ErrStoreUnavailable, Cause: cause, Hint: hint, RetryAfter: time.Second}
}

func (p *pass) inProgress(cause error) error {
	return &onceward.Error{Op: "wait", Key: p.call.Key, Err: onceward.ErrInProgress, Cause: cause, RetryAfter: p.e.retryAfter(),
		Hint: "another call is carrying it out; ask again with the same key"}
}

func (p *pass) interrupted(ctx context.Context) error {
	return &onceward.Error{Op: "wait", Key: p.call.Key, Err: onceward.ErrInProgress, Cause: context.Cause(ctx), RetryAfter: p.e.retryAfter(),
		Hint: "the caller stopped waiting; ask again with the same key"}
}
