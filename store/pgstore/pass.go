package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// pass is the way of one call through the engine.
type pass struct {
	e       *engine
	call    onceward.Call
	who     store.Identity
	fn      func(context.Context, onceward.Attempt) onceward.Outcome
	token   store.Token
	arrived time.Time

	waited  time.Duration
	ran     time.Duration
	doubted bool
	alone   bool // what came out is for this call only
	told    bool // it is what the record says: it holds for everybody who waits
}

var errHandlerLimit = errors.New("pgstore: the handler limit is over")

// lead reads the record behind its lock, and either answers from it or runs the function: again if the database asks for that.
func (p *pass) lead(ctx context.Context) (onceward.Result, error) {
	var err error
	if p.token, err = p.e.draw(); err != nil {
		return onceward.Result{}, p.unavailable(err, "the source of randomness failed")
	}
	running, stop := context.WithTimeoutCause(context.WithoutCancel(ctx), p.e.config.HandlerLimit, errHandlerLimit)
	defer stop()
	for n := 1; ; n++ {
		opening := ctx
		if n > 1 { // from the first run on, the caller's leaving ends nothing
			opening = running
		}
		s, f, err := p.open(opening)
		if err != nil {
			return onceward.Result{}, err
		}
		claim := store.Claim(f.record(), p.request(), f.env())
		if claim.Write != store.Put {
			if p.e.config.Isolation == readCommitted || claim.Answer.Verdict == store.Replay {
				p.e.behind(s.drop)
				return p.answer(claim.Answer)
			}
			s.drop()
			step, err := p.look(running, origin{}) // for the snapshot may be older than the lock, by a hair
			if isCode(err, lockNotAvailable, queryCanceled) {
				return onceward.Result{}, p.inProgress(err)
			}
			if err != nil {
				return onceward.Result{}, p.unavailable(failed("read again", err), "nothing was executed by this send; retry the same key")
			}
			if step.Write != store.Put {
				return p.answer(step.Answer)
			}
			n-- // nothing has run
			continue
		}
		a := &attempt{pass: p, s: s, n: n, claim: claim, old: f.record(), running: running}
		result, again, err := a.carryOut()
		if !again {
			return result, err
		}
		pause(n)
	}
}

// look takes the lock and reads the record, on whatever connection can be had. The lock is what makes the answer final: as long as a transaction of
// this operation is alive somewhere, it holds it. If transaction after was committed, and not by us, the function did it: [ErrEnded].
func (p *pass) look(running context.Context, after origin) (store.Step, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(running), p.e.config.SaveLimit)
	defer stop()
	for n := 1; ; n++ {
		q := p.entry(readCommitted, p.e.config.SaveLimit/2)
		q.after = after
		s, f, err := p.e.link.open(ctx, q)
		if err == nil {
			err = f.primary()
			p.e.behind(s.drop)
		}
		if r := f.record(); err == nil && f.committed && (r.State != store.Done || r.Token != p.token) {
			return store.Step{}, ErrEnded
		}
		if err == nil {
			return store.Claim(f.record(), p.request(), f.env()), nil
		}
		if ctx.Err() != nil || !isLost(err) && !errors.Is(err, errStale) && !isCode(err, lockNotAvailable, queryCanceled) {
			return store.Step{}, err
		}
		pause(n)
	}
}

// request is what the pure functions want to know of a call. The lease is of no record that is ever seen: within the transaction nobody else is.
func (p *pass) request() store.ClaimRequest {
	c := &p.e.config
	return store.ClaimRequest{
		Identity: p.who, Token: p.token, Fingerprints: p.call.Fingerprint.Versions(), Hint: p.call.Fingerprint.Hint(),
		Start: true, Lease: c.HandlerLimit, Window: c.Window, Guard: c.Skew, Horizon: p.call.Horizon,
	}
}

// brief is how long anybody may wait for a lock. Longer waits need a slot: they must not take all connections from those who need not wait.
const brief = 50 * time.Millisecond

// tries is how many connections are tried that turn out to be closed: a pool may have several, after a restart of the server.
const tries = 3

// open sends the first flight. Connections that turn out to be broken are thrown away: nothing has happened on them.
func (p *pass) open(ctx context.Context) (session, found, error) {
	slot := p.takeSlot()
	defer func() { p.giveSlot(slot) }()
	for n := 1; ; {
		wait := max(p.waitLeft(), time.Millisecond)
		long := slot || wait <= brief
		if !long {
			wait = brief
		}
		s, f, err := p.e.link.open(ctx, p.entry(p.e.config.Isolation, wait))
		switch {
		case err == nil && f.primary() != nil:
			p.e.behind(s.drop)
			return nil, f, p.unavailable(f.primary(), "connect to the primary; retry the same key")
		case err == nil && f.waited && p.e.config.Isolation != readCommitted:
			s.drop() // its snapshot is from before the wait
		case err == nil:
			return s, f, nil
		case ctx.Err() != nil:
			return nil, f, p.interrupted(ctx)
		case isCode(err, lockNotAvailable, queryCanceled) && long:
			return nil, f, p.inProgress(nil)
		case isCode(err, lockNotAvailable, queryCanceled):
			if slot, err = p.awaitSlot(ctx); !slot {
				return nil, f, err
			}
		case (errors.Is(err, errBroken) && !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errStale)) && n < tries:
			pause(n)
			n++
		default:
			return nil, f, p.unavailable(failed("begin", err), "nothing was executed by this send; retry the same key")
		}
	}
}

func (p *pass) takeSlot() bool {
	select {
	case p.e.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p *pass) awaitSlot(ctx context.Context) (bool, error) {
	timer := time.NewTimer(max(p.waitLeft(), 0))
	defer timer.Stop()
	select {
	case p.e.slots <- struct{}{}:
		return true, nil
	case <-timer.C:
		return false, p.inProgress(nil)
	case <-ctx.Done():
		return false, p.interrupted(ctx)
	}
}

func (p *pass) giveSlot(has bool) {
	if has {
		<-p.e.slots
	}
}

func (p *pass) waitLeft() time.Duration {
	if p.e.config.Wait == onceward.NoWait {
		return 0
	}
	return p.e.config.Wait - time.Since(p.arrived)
}
