package pgstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// joining keeps the calls of one operation within this process together: the first leads and has a connection, the others wait for it in memory.
// So copies of a request cannot take the pool from everybody else. It decides nothing: the database does.
type joining struct {
	mu  sync.Mutex
	led map[store.ID]*lead
}

// lead is a call that others wait for.
type lead struct {
	print  store.Fingerprint
	landed chan struct{} // closed when the rest is set
	result onceward.Result
	err    error
	shared bool // the others may take the result
}

// join returns the call that leads an operation, and whether it is the caller's.
func (j *joining) join(id store.ID, print store.Fingerprint) (l *lead, leads bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if l, ok := j.led[id]; ok {
		return l, false
	}
	if j.led == nil {
		j.led = make(map[store.ID]*lead)
	}
	l = &lead{print: print, landed: make(chan struct{})}
	j.led[id] = l
	return l, true
}

func (j *joining) land(id store.ID, l *lead) {
	j.mu.Lock()
	delete(j.led, id)
	j.mu.Unlock()
	close(l.landed)
}

var (
	errPatience = errors.New("pgstore: the wait is over")
	errLeft     = errors.New("pgstore: the caller has left")
)

// follow waits for the leader. ok is false when there is nothing to share, and the caller has to see for itself.
func (l *lead) follow(ctx context.Context, wait time.Duration, readOnly bool) (result onceward.Result, ok bool, err error) {
	timer := time.NewTimer(max(wait, 0))
	defer timer.Stop()
	select {
	case <-l.landed:
		r := l.result
		if !readOnly {
			r.Reply = clone(r.Reply)
		}
		r.Replayed = l.err == nil && r.Standing == onceward.Saved
		return r, l.shared, l.err
	case <-timer.C:
		return onceward.Result{}, true, errPatience
	case <-ctx.Done():
		return onceward.Result{}, true, errLeft
	}
}

// clone shares nothing with r that a caller could change.
func clone(r onceward.Reply) onceward.Reply {
	r.Header, r.Body, r.Trailer = slices.Clone(r.Header), slices.Clone(r.Body), slices.Clone(r.Trailer)
	return r
}

// do joins the call that leads the operation in this process, or leads it.
func (p *pass) do(ctx context.Context) (onceward.Result, error) {
	print := p.call.Fingerprint.Versions()[0]
	for {
		if ctx.Err() != nil {
			return onceward.Result{}, p.interrupted(ctx)
		}
		l, leads := p.e.joining.join(p.who.ID, print)
		if leads {
			return p.leadOthers(ctx, l)
		}
		result, ok, err := l.follow(ctx, p.waitLeft(), p.call.ReadOnly)
		p.waited = time.Since(p.arrived)
		switch {
		case errors.Is(err, errPatience):
			return onceward.Result{}, p.inProgress(nil)
		case errors.Is(err, errLeft):
			return onceward.Result{}, p.interrupted(ctx)
		case !ok, l.print != print: // another request under the key: one of them is wrong, and the record says which
			continue
		}
		return result, err
	}
}

// leadOthers lands also when the function panics.
func (p *pass) leadOthers(ctx context.Context, l *lead) (result onceward.Result, err error) {
	defer func() {
		l.result, l.err = result, err
		if l.shared && !p.call.ReadOnly { // the caller's copy is its own from here on
			l.result.Reply = clone(result.Reply)
		}
		p.e.joining.land(p.who.ID, l)
	}()
	result, err = p.lead(ctx)
	l.shared = !p.alone && (err == nil && !result.NotKept || errors.Is(err, onceward.ErrStoreUnavailable) || p.told)
	return result, err
}
