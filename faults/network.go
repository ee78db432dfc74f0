package faults

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// ErrClosed is the cause with which [Network.Close] cancels the contexts of deliveries that it does not wait for any longer.
var ErrClosed = errors.New("faults: the network is closed")

// A Network stands between clients and an upstream and misbehaves as its [Config] says. It is an http.Handler, safe for
// concurrent use. Whoever made it closes it.
type Network struct {
	cfg      Config
	upstream http.Handler
	only     only
	seen     *arrivals
	counts   *counts
	open     context.Context // ends when Close begins
	shut     context.CancelFunc
	life     context.Context // ends when Close gives up
	end      context.CancelCauseFunc
	log      sync.Mutex // one Event at a time

	mu     sync.Mutex
	closed bool
	under  int           // deliveries under way
	idle   chan struct{} // closed when under falls to zero; nil while it is zero
}

// New wraps upstream with a network that misbehaves. Its error is an [ErrConfig] and names everything that is wrong.
func New(upstream http.Handler, cfg Config) (*Network, error) {
	cfg = cfg.withDefaults()
	may, err := newOnly(cfg.Only)
	if err := cfg.validate(upstream, err); err != nil {
		return nil, err
	}
	n := &Network{cfg: cfg, upstream: upstream, only: may, seen: newArrivals(cfg.MaxIdentities), counts: newCounts(cfg.Faults)}
	n.open, n.shut = context.WithCancel(context.Background())
	n.life, n.end = context.WithCancelCause(context.Background())
	return n, nil
}

// ServeHTTP delivers r to the upstream, unless a fault strikes. It panics with http.ErrAbortHandler to abort the exchange, and
// does so for every request after Close.
func (n *Network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !n.enter() {
		abort()
	}
	defer n.leave()
	if !n.only.match(r) {
		n.counts.outside()
		n.upstream.ServeHTTP(w, r)
		return
	}
	id := newIdentity(n.cfg.Identity(r))
	arrival := n.seen.next(id)
	hits := plan(n.cfg.Seed, n.cfg.Faults, id, arrival)
	r, whole := n.readBody(hits, r)
	h := n.upstream
	for i := len(hits) - 1; i >= 0; i-- { // from the upstream out to the client
		if whole || !hits[i].needsBody {
			h = hits[i].wrap(n, h)
		}
	}
	events := make([]Event, 0, len(hits))
	for _, hit := range hits {
		e := newEvent(id, arrival, hit, r)
		e.Skipped = hit.needsBody && !whole
		events = append(events, e)
	}
	n.counts.arrival(events)
	n.tell(events)
	h.ServeHTTP(w, r)
}

// readBody reads the request whole if one of the strikes needs it.
func (n *Network) readBody(hits []planned, r *http.Request) (_ *http.Request, whole bool) {
	for _, hit := range hits {
		if hit.needsBody {
			return hold(r, n.cfg.MaxBody)
		}
	}
	return r, false
}

func (n *Network) tell(events []Event) {
	if len(events) == 0 {
		return
	}
	n.log.Lock()
	defer n.log.Unlock()
	for _, e := range events {
		n.cfg.Log(e)
	}
}

// Wait returns when no delivery is under way, copies and those whose client has gone included, or with ctx's cause when that
// ends first. Requests that arrive meanwhile may begin new ones.
func (n *Network) Wait(ctx context.Context) error {
	n.mu.Lock()
	idle := n.idle
	n.mu.Unlock()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close lets no more requests in, ends hanging, and waits for the deliveries under way. When ctx ends first, it returns ctx's cause and cancels the
// contexts that faults had detached from their clients; call it again to wait for those to end.
// Shut the http.Server down before.
func (n *Network) Close(ctx context.Context) error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.shut()
	err := n.Wait(ctx)
	n.end(ErrClosed)
	return err
}

// enter begins an arrival; it says false when the network is closed.
func (n *Network) enter() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.begin()
	return true
}

// begin counts a delivery; n.mu is held.
func (n *Network) begin() {
	if n.under == 0 {
		n.idle = make(chan struct{})
	}
	n.under++
}

func (n *Network) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.under--
	if n.under == 0 {
		close(n.idle)
		n.idle = nil
	}
}

// detach returns r with a context that does not end with the client's connection, only with the network, and a function that
// frees it.
func (n *Network) detach(r *http.Request) (*http.Request, func()) {
	kept := context.WithValue(context.WithoutCancel(r.Context()), clientKey{}, clientOf(r))
	ctx, cancel := context.WithCancelCause(kept)
	stop := context.AfterFunc(n.life, func() { cancel(ErrClosed) })
	return r.WithContext(ctx), func() {
		stop()
		cancel(nil)
	}
}

// clientKey is where a detached request still has its client's context.
type clientKey struct{}

// clientOf returns the context that ends when r's client has gone, also for a detached request.
func clientOf(r *http.Request) context.Context {
	if client, ok := r.Context().Value(clientKey{}).(context.Context); ok {
		return client
	}
	return r.Context()
}

// abort ends the exchange without another byte.
func abort() { panic(http.ErrAbortHandler) }
