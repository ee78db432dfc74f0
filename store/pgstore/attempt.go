package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

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
		return a.reject(out, fault)
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

// reject undoes what the function did, and then remembers its answer. A duplicate that slips in between becomes the answer. fault is what the function was told last.
func (a *attempt) reject(out onceward.Outcome, fault error) (result onceward.Result, again bool, err error) {
	checked, err := a.s.undo()
	if err == nil && !checked && fault != nil && mayRunAgain(fault) { // only a driver that does not tell the state comes here with it
		err = fault
	}
	switch {
	case errors.Is(err, ErrEnded):
		result, err = a.ended()
		return result, false, err
	case err != nil: // perhaps the server has not heard of it: in a transaction that is open still, what follows would commit it all
		a.s.drop()
		return a.failed(out, err, true)
	case !checked && a.old.State != store.Absent: // what writes in place of a record cannot ask
		a.s.drop() // first: the pool may have one connection only
		if step, err := a.look(a.running, a.s.origin()); err != nil || step.Write != store.Put {
			result, err = a.instead(step, err, true)
			return result, false, err
		}
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
