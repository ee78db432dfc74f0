package onceward

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/onceward/onceward/store"
)

// save completes the record and only then answers. A store that fails is asked again until SaveLimit; from then on the saving goes on
// behind the caller's back, for as long as the process lives: the key is never freed, for the effect has happened.
func (o *owner) save(ctx context.Context, out Outcome) (Result, error) {
	buffer := encodings.Get().(*encoding)
	q, kept := o.completion(out, buffer)
	deadline := o.ended.Add(o.g.cfg.SaveLimit)
	again := newPoll()
	for try := 1; ; try++ {
		answer, err := o.advance(ctx, q)
		switch {
		case err == nil && answer.Verdict == store.Applied:
			if try == 1 {
				buffer.giveBack()
			}
			return Result{Reply: out.Reply, Standing: Saved, NotKept: !kept}, nil
		case err == nil:
			return o.lost(ctx, answer.Record, out.Ending != EndReject)
		case (errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrInvalid)) && kept: // a tombstone always fits
			q.End, q.Reply, kept = store.EndReplyNotKept, nil, false
			continue
		}
		pause := again.next()
		if time.Now().Add(pause).After(deadline) {
			return o.notSaved(ctx, q, err)
		}
		time.Sleep(pause)
	}
}

// completion is the request that saves the outcome, and whether its reply is kept.
func (o *owner) completion(out Outcome, buffer *encoding) (store.AdvanceRequest, bool) {
	q := store.AdvanceRequest{
		Identity: o.who, Token: o.token, Op: store.OpComplete, End: store.EndReplyNotKept,
		Window: o.g.cfg.Window, Guard: o.g.cfg.Skew,
	}
	if out.Ending == EndSaveNotKept || out.Reply.Size() > o.g.cfg.MaxReply {
		return q, false
	}
	encoded, err := out.Reply.AppendBinary(buffer.bytes[:0])
	if err != nil {
		return q, false
	}
	buffer.bytes = encoded
	q.End, q.Reply = store.EndReply, encoded
	return q, true
}

// lost answers for an owner whose record is no longer its own: what the record says, never its own result. An owner that had its
// effect knows better than a record that says "not executed": no attestation outweighs that, and a new key would be a second effect.
func (o *owner) lost(ctx context.Context, r store.Record, hadEffect bool) (Result, error) {
	o.alone = true
	alarm := AlarmReplaced
	if hadEffect && r.End == store.EndNotExecuted {
		alarm = AlarmContradiction
		r.SafeNewKey = false
	}
	o.g.cfg.Observer.alarm(ctx, AlarmEvent{Alarm: alarm, Service: o.who.Service, ID: o.who.ID, Key: o.call.Key, Err: heldBy(r)})
	if r.State == store.Done {
		return o.replay(r)
	}
	return o.unknown(errReplaced)
}

func (o *owner) notSaved(ctx context.Context, q store.AdvanceRequest, cause error) (Result, error) {
	o.alone = true
	o.g.settle(unsettled{who: o.who, ask: q})
	err := &Error{Op: "save", Key: o.call.Key, Err: ErrReplyNotSaved, Cause: cause, RetryAfter: time.Second,
		Hint: "the operation has been carried out and its reply is still being saved; ask again with the same key"}
	o.g.cfg.Observer.alarm(ctx, AlarmEvent{Alarm: AlarmReplyNotSaved, Service: o.who.Service, ID: o.who.ID, Key: o.call.Key, Err: cause})
	return Result{}, err
}

// encoding is a buffer for an encoded reply.
type encoding struct{ bytes []byte }

// encodings are those that nobody reads any more. A store keeps nothing of what it was given, but one that has not answered may still be reading:
// only what went into a single call that was acknowledged is given back.
var encodings = sync.Pool{New: func() any { return new(encoding) }}

const maxKeptEncoding = 64 << 10 // bytes: a longer buffer is not kept for the next reply

func (e *encoding) giveBack() {
	if cap(e.bytes) <= maxKeptEncoding {
		encodings.Put(e)
	}
}
