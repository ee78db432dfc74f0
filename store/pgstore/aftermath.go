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
