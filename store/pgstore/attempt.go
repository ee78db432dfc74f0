package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// ErrEnded is the cause of an error when a function has ended the transaction that it was given, by a COMMIT or ROLLBACK in the text of a
// statement: what it did may have taken effect without its record. The operation is then held as unknown, for a person to resolve.
var ErrEnded = errors.New("pgstore: the function has ended its transaction itself, by a COMMIT or ROLLBACK in a statement")

// AlarmEnded is raised with [ErrEnded].
const AlarmEnded onceward.Alarm = "transaction ended by the function"

// attempt is one run of the function, in one transaction.
type attempt struct {
	*pass
	s       session
	n       int
	claim   store.Step   // what is to become of the record
	old     store.Record // what was read; usually absent
	running context.Context
}

// carryOut runs the function and settles how it ended. again asks for another attempt: nothing has happened in this one.
func (a *attempt) carryOut() (result onceward.Result, again bool, err error) {
	p, began := a.pass, time.Now()
	p.doubted = a.claim.Answer.Record.Doubted
	returned := false
	defer func() {
		if !returned { // the function panicked, or ended its goroutine; the panic goes on
			p.alone = true
			p.ran += time.Since(began)
			a.s.end()
			_, err := a.free(onceward.DoubtError(errPanicked))
			p.report(a.running, onceward.Result{}, err)
		}
	}()
	run := onceward.NewRun(p.call, nil)
	out := p.fn(a.s.context(run.Context(a.running)), onceward.Attempt{N: a.n, Doubted: p.doubted, Buffered: true, MaxReply: p.e.config.MaxReply})
	returned = true
	p.ran += time.Since(began)
	p.alone = out.Alone
	p.e.observe(p.ran)
	a.s.end()
	return a.settle(out)
}

var errPanicked = errors.New("pgstore: the function panicked")

// settle carries the function's outcome to the database.
func (a *attempt) settle(out onceward.Outcome) (result onceward.Result, again bool, err error) {
	saves := out.Ending == onceward.EndSave || out.Ending == onceward.EndSaveNotKept
	state, fault := a.s.state()
	switch {
	case state == txEnded:
		result, err = a.ended()
		return result, false, err
	case state == txLost, state == txAborted && (saves || fault != nil && mayRunAgain(fault)):
		// What the function says of itself counts for nothing: it may have swallowed the error, or made a reply of it.
		a.s.drop()
		return a.failed(out, fault, true)
	}
	switch {
	case saves:
		return a.save(out)
	case out.Ending == onceward.EndReject:
		return a.reject(out)
	default:
		result, err = a.free(out)
	}
	return result, false, err
}

// save commits effect, record and reply.
func (a *attempt) save(out onceward.Outcome) (result onceward.Result, again bool, err error) {
	done, kept := a.done(out)
	err = a.s.finish(a.old, done, a.e.keep())
	switch {
	case err == nil:
		a.s.drop()
		return onceward.Result{Reply: out.Reply, Standing: onceward.Saved, NotKept: !kept}, false, nil
	case errors.Is(err, ErrEnded):
		result, err = a.ended()
		return result, false, err
	}
	a.s.drop()
	return a.failed(out, err, isServers(err) && !isLost(err))
}

// done is the finished record. The database sets its times.
func (a *attempt) done(out onceward.Outcome) (r store.Record, kept bool) {
	q := store.AdvanceRequest{Identity: a.who, Token: a.token, Op: store.OpComplete, End: store.EndReplyNotKept, Window: a.e.config.Window, Guard: a.e.config.Skew}
	if out.Ending != onceward.EndSaveNotKept && out.Reply.Size() <= a.e.config.MaxReply {
		if encoded, err := out.Reply.AppendBinary(nil); err == nil {
			q.End, q.Reply, kept = store.EndReply, encoded, true
		}
	}
	env := store.Env{Now: a.claim.Answer.Now, Watermark: a.claim.Answer.Watermark}
	return store.Advance(a.claim.Answer.Record, q, env).Answer.Record, kept
}

// reject undoes what the function did, and then remembers its answer. A duplicate that slips in between becomes the answer.
func (a *attempt) reject(out onceward.Outcome) (result onceward.Result, again bool, err error) {
	if _, err := a.s.undo(); errors.Is(err, ErrEnded) {
		result, err = a.ended()
		return result, false, err
	}
	done, kept := a.done(out)
	f, made, err := a.s.remember(a.entry(readCommitted, a.e.config.StoreTimeout), a.old, done, a.e.keep())
	a.s.drop()
	switch {
	case err == nil && made:
		return onceward.Result{Reply: out.Reply, Standing: onceward.Saved, NotKept: !kept}, false, nil
	case err == nil:
		if step := store.Claim(f.record(), a.request(), f.env()); step.Write != store.Put {
			a.alone = true
			result, err = a.answer(step.Answer)
			return result, false, err
		}
		err = errors.New("pgstore: the record is absent, and could not be made")
	}
	return a.failed(out, err, true)
}

// free undoes what the function did. At READ COMMITTED, in a transaction that was open and ours to the end, nobody else can have written the record
// meanwhile. Otherwise it is read again before anything is said: PostgreSQL lets go of the lock as soon as a transaction is aborted.
func (a *attempt) free(out onceward.Outcome) (onceward.Result, error) {
	if state, _ := a.s.state(); state == txEnded {
		return a.ended()
	}
	checked, err := a.s.undo()
	if errors.Is(err, ErrEnded) {
		return a.ended()
	}
	a.s.drop()
	if err != nil || !checked || a.e.config.Isolation != readCommitted {
		step, err := a.look(a.running, a.s.origin())
		if err != nil || step.Write != store.Put {
			return a.instead(step, err, true)
		}
	}
	return a.freed(out)
}

// freed gives the function's own answer to its caller: nothing of it has taken effect.
func (a *attempt) freed(out onceward.Outcome) (onceward.Result, error) {
	standing := onceward.Freed
	if a.doubted { // an earlier owner, in the record store's way, may have had its effect
		standing = onceward.Doubted
	}
	if out.Err == nil {
		return onceward.Result{Reply: out.Reply, Standing: standing}, nil
	}
	if a.doubted {
		return onceward.Result{}, &onceward.Error{Op: "run", Key: a.call.Key, Err: onceward.ErrOutcomeUnknown, Cause: out.Err,
			Hint: "this run is undone, an earlier owner may have had its effect; send the same key again"}
	}
	return onceward.Result{}, &onceward.Error{Op: "run", Key: a.call.Key, Err: onceward.ErrFreed, Cause: out.Err, Hint: "the same key may be sent again"}
}

// failed answers after any error of the transaction: what the record says now, or else another attempt, or else the truth. undone says whether it is
// certain already that nothing was committed.
func (a *attempt) failed(out onceward.Outcome, cause error, undone bool) (result onceward.Result, again bool, err error) {
	step, err := a.look(a.running, a.s.origin())
	if err != nil || step.Write != store.Put {
		result, err = a.instead(step, err, undone)
		return result, false, err
	}
	// The record is absent and was read behind its lock: the transaction is gone without a trace.
	if mayRunAgain(cause) && a.n < a.e.config.Attempts && a.running.Err() == nil {
		return result, true, nil
	}
	a.alone = true
	switch {
	case isOutside(cause, a.e.config.Schema):
		err = a.outside(cause)
	case out.Ending == onceward.EndFree || out.Ending == onceward.EndDoubt:
		result, err = a.freed(out)
	case isCode(cause, noPrivilege):
		err = &onceward.Error{Op: "commit", Key: a.call.Key, Err: onceward.ErrFreed, Cause: failed("commit", cause),
			Hint: "nothing has taken effect; a function that changes its role, by SET LOCAL ROLE, must RESET ROLE before it returns, or that role needs pgstore.Grants"}
	case mayRunAgain(cause), out.Ending == onceward.EndReject, isCode(cause, diskFull):
		err = a.unavailable(failed("commit", cause), "nothing has taken effect; retry the same key")
	default:
		err = &onceward.Error{Op: "commit", Key: a.call.Key, Err: onceward.ErrFreed, Cause: failed("commit", cause),
			Hint: "the database refused the transaction, and nothing has taken effect; an error that a function goes on after needs a savepoint: Tx(ctx).Begin"}
	}
	return result, false, err
}

// instead answers from the record, for an attempt that is over. If it cannot be read, undone says whether at least that is certain.
func (a *attempt) instead(step store.Step, err error, undone bool) (onceward.Result, error) {
	a.alone = true
	switch {
	case errors.Is(err, ErrEnded):
		return a.ended()
	case err == nil:
		return a.answer(step.Answer)
	case isCode(err, lockNotAvailable) && undone:
		return onceward.Result{}, a.inProgress(err)
	case undone:
		return onceward.Result{}, a.unavailable(failed("read again", err), "nothing has taken effect by this send; retry the same key")
	}
	return onceward.Result{}, &onceward.Error{Op: "commit", Key: a.call.Key, Err: onceward.ErrReplyNotSaved, Cause: failed("read again", err), RetryAfter: time.Second,
		Hint: "the answer to the commit was lost, and the database cannot be asked: ask again with the same key"}
}

// pause lets a rival pass: from 2 ms, doubling to 256 ms, with full jitter over its upper half.
func pause(n int) {
	d := time.Millisecond << min(n, 8)
	time.Sleep(d/2 + rand.N(d/2))
}

// ended deals with a function that has ended its transaction itself. Nobody can tell what of it has taken effect, so the record says unknown.
func (a *attempt) ended() (onceward.Result, error) {
	a.alone = true
	a.s.drop()
	cause := ErrEnded
	ctx, stop := context.WithTimeout(context.WithoutCancel(a.running), a.e.config.SaveLimit)
	defer stop()
	if err := a.hold(ctx); err != nil {
		cause = fmt.Errorf("%w; and the record could not be marked: %w", ErrEnded, err)
	}
	if tell := a.e.config.Observer.Alarm; tell != nil {
		tell(ctx, onceward.AlarmEvent{Alarm: AlarmEnded, Service: a.who.Service, ID: a.who.ID, Key: a.call.Key, Err: cause})
	}
	return onceward.Result{}, &onceward.Error{Op: "commit", Key: a.call.Key, Err: onceward.ErrOutcomeUnknown, Cause: cause,
		Hint: "the function must not end its transaction; find out what it did, and have the operation resolved"}
}

// hold marks the record as unknown. It does not wait for the lock: the function's COMMIT has handed it to a duplicate, which then loses against the
// index, or a transaction that the function has prepared keeps it. Whoever has written the record before is left alone.
func (a *attempt) hold(ctx context.Context) error {
	open := a.claim.Answer.Record
	open.Lease = a.claim.Answer.Now // nobody is at work on it
	for n := 1; ; n++ {
		err := a.e.link.hold(ctx, a.old, open)
		switch {
		case isCode(err, uniqueViolation, divisionByZero):
			return nil
		case err == nil, !isLost(err) && !errors.Is(err, errStale), ctx.Err() != nil:
			return err
		}
		pause(n)
	}
}
