package onceward

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/onceward/onceward/store"
)

// flights joins the calls of one operation within this process: the first leads, the others wait for it at no cost to the store.
// It saves work only; what may run is decided by the store.
type flights struct {
	shards [64]struct {
		mu sync.Mutex
		m  map[store.ID]*flight
	}
}

// flight is one leading call.
type flight struct {
	print  store.Fingerprint
	landed chan struct{} // closed when result and shared are set; the first follower makes it
	result Result
	err    error
	shared bool // the followers may take the result
}

// join returns the flight of id and whether the caller leads it; then the flight is own. A call with another fingerprint neither leads nor
// follows – it may be the flight's leader that is wrong – and gets nil.
func (fs *flights) join(id store.ID, print store.Fingerprint, own *flight) (f *flight, leads bool) {
	s := &fs.shards[id[0]%uint8(len(fs.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.m[id]; ok {
		if f.print != print {
			return nil, false
		}
		if f.landed == nil {
			f.landed = make(chan struct{})
		}
		return f, false
	}
	if s.m == nil {
		s.m = make(map[store.ID]*flight)
	}
	*own = flight{print: print}
	s.m[id] = own
	return own, true
}

// land ends a flight that the caller leads. readOnly: nobody will change the reply's bytes.
func (fs *flights) land(id store.ID, f *flight, result Result, err error, shared, readOnly bool) {
	s := &fs.shards[id[0]%uint8(len(fs.shards))]
	s.mu.Lock()
	delete(s.m, id)
	followed := f.landed != nil
	s.mu.Unlock()
	if !followed {
		return
	}
	if shared && !readOnly { // the leader's copy is its caller's own from here on
		result.Reply = result.Reply.clone()
	}
	f.result, f.err, f.shared = result, err, shared
	close(f.landed)
}

// Why a follower stops waiting.
var (
	errPatience = errors.New("onceward: the wait is over")
	errLeft     = errors.New("onceward: the caller has left")
)

// follow waits for the leader until the deadline. ok is false when there is nothing to share and the caller has to claim itself.
func (f *flight) follow(ctx context.Context, wait time.Duration, readOnly bool) (result Result, ok bool, err error) {
	timer := time.NewTimer(max(wait, 0))
	defer timer.Stop()
	select {
	case <-f.landed:
		r := f.result
		switch {
		case !f.shared:
			return Result{}, false, f.err
		case !readOnly:
			r.Reply = r.Reply.clone()
		default: // whoever appends a field of its own writes to memory of its own
			r.Reply.Header, r.Reply.Trailer = slices.Clip(r.Reply.Header), slices.Clip(r.Reply.Trailer)
		}
		r.Replayed = f.err == nil && r.Standing == Saved
		return r, true, f.err
	case <-timer.C:
		return Result{}, true, errPatience
	case <-ctx.Done():
		return Result{}, true, errLeft
	}
}
