package onceward

import (
	"sync"
	"time"

	"github.com/onceward/onceward/store"
)

// heartbeat renews the owner's lease at a third of it, on a timer: a run shorter than that costs the store nothing. It is tied neither to
// the request nor to the function, and ends when the function does or at the handler's limit. It cancels the function only on proof that another
// owner has the record, not on a store that stumbles.
type heartbeat struct {
	o     *owner
	every time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
	ended   bool // the function has ended: that its record is another's now is no news
}

// beat starts the heartbeat.
func (o *owner) beat(lease time.Duration) *heartbeat {
	h := &o.heartbeat
	h.o, h.every = o, lease/3
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(h.every, h.once)
	return h
}

// functionEnded tells the heartbeat that the owner is about to settle. It goes on meanwhile: a save that takes long must not lose the lease.
func (h *heartbeat) functionEnded() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
}

// stop ends the heartbeat. A renewal that is under way is not waited for: it cannot harm, and Close waits for it.
func (h *heartbeat) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	h.timer.Stop()
}

// begin counts a renewal in, unless the heartbeat has ended.
func (h *heartbeat) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped || h.o.running.Err() != nil { // the function's context ends at the handler's limit
		return false
	}
	h.o.g.work.Add(1) // not after Close has begun to wait: the call that we belong to is still counted in
	return true
}

// again sets the next renewal, unless the heartbeat has ended.
func (h *heartbeat) again(in time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.stopped {
		h.timer.Reset(in)
	}
}

// quiet reports whether nobody is to be told of a loss: the owner finds out itself when it settles.
func (h *heartbeat) quiet() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stopped || h.ended
}

func (h *heartbeat) once() {
	if !h.begin() {
		return
	}
	defer h.o.g.work.Done()
	o := h.o
	answer, err := o.advance(&o.running, store.AdvanceRequest{
		Identity: o.who, Token: o.token, Op: store.OpExtend, Lease: o.g.cfg.Lease,
	})
	event := AlarmEvent{Service: o.who.Service, ID: o.who.ID, Key: o.call.Key, Err: err}
	switch {
	case err != nil: // soon: a store that stumbles for a third of the lease must not cost the lease
		h.again(min(h.every, time.Second))
	case answer.Verdict == store.Applied:
		h.again(h.every)
	case h.quiet():
	case answer.Verdict == store.Lapsed: // nobody has it yet: the reply may still be saved
		event.Alarm, event.Err = AlarmLeaseLost, heldBy(answer.Record)
		o.g.cfg.Observer.alarm(&o.running, event)
	default:
		event.Alarm, event.Err = AlarmReplaced, heldBy(answer.Record)
		o.g.cfg.Observer.alarm(&o.running, event)
		o.running.end(errReplaced)
	}
}
