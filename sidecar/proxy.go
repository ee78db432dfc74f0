package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
)

// Proxy is the sidecar: an [http.Handler] in front of one upstream. Safe for concurrent use.
type Proxy struct {
	started Config // what cannot be changed while it runs is as it was then
	guard   *onceward.Guard
	store   store.Store
	fatal   mortal
	up      *upstream
	watch   *watch
	now     atomic.Pointer[routing]
	places  chan struct{} // one is taken by each keyed request under way
	certs   atomic.Pointer[certificates]
	streams *streams
	closing atomic.Bool
	life    context.Context // of what runs without a request
	end     context.CancelFunc
}

// New makes a proxy over s, which it owns from here on, also if there is an error: Close closes s. It does not listen; see [Proxy.Run].
// The upstream need not be there yet, but the keys for scope jwt have to.
func New(ctx context.Context, s store.Store, cfg Config, log *slog.Logger) (*Proxy, error) {
	p, err := build(ctx, s, cfg, log)
	switch {
	case err != nil && p != nil: // the guard maintains the store already
		return nil, errors.Join(err, p.Close(context.WithoutCancel(ctx)))
	case err != nil:
		return nil, errors.Join(err, s.Close())
	}
	return p, nil
}

// build returns an error alone as long as nobody but s has to be closed.
func build(ctx context.Context, s store.Store, cfg Config, log *slog.Logger) (*Proxy, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	up, err := newUpstream(cfg)
	if err == nil {
		_, err = cfg.authorizer()
	}
	if err != nil {
		return nil, err
	}
	cfg = cfg.fitting(s)
	p := &Proxy{started: cfg, up: up, watch: newWatch(log), places: make(chan struct{}, cfg.MaxInFlight), streams: newStreams(cfg.StreamDrain)}
	p.life, p.end = context.WithCancel(context.WithoutCancel(ctx))
	p.store, p.fatal = newTimedStore(s, p.watch.store), mortalOf(s)
	p.watch.registry.MustRegister(&census{store: s, service: cfg.Service})
	g := onceward.Config{Window: cfg.Window, Observer: p.watch.observer("*")}
	cfg.guardConfig(&g)
	if p.guard, err = onceward.New(p.store, g); err != nil {
		return nil, err
	}
	return p, p.use(ctx, cfg)
}

// fitting lowers what was not chosen to what the store can keep.
func (c Config) fitting(s store.Store) Config {
	if most := s.Traits().MaxReply; most > 0 && c.MaxReply == DefaultMaxReply {
		c.MaxReply = min(c.MaxReply, Bytes(most))
	}
	return c
}

// use puts a configuration to work.
func (p *Proxy) use(ctx context.Context, cfg Config) error {
	trusted, err := parsePeers(cfg.TrustedPeers)
	if err != nil {
		return err
	}
	var keys keySource
	if cfg.Scope == scopeJWT {
		if keys, err = newKeyring(ctx, p.life, cfg.JWTKeys); err != nil {
			return err
		}
	}
	certs, err := newCertificates(cfg)
	if err != nil {
		return err
	}
	r, err := newRouting(cfg, p.guard, p.up, cfg.who(trusted, keys), p.watch, p.streams)
	if err != nil {
		return err
	}
	p.certs.Store(certs)
	p.now.Store(r)
	return nil
}

// Reload puts another configuration in place of the one at work; requests under way end with the one that they came under. On an error nothing changes.
func (p *Proxy) Reload(ctx context.Context, cfg Config) error {
	return p.ReloadFrom(ctx, func() (Config, error) { return cfg, nil })
}

// ReloadFrom is [Proxy.Reload] for a configuration that has to be read first. An error of load is counted as a configuration that was refused.
func (p *Proxy) ReloadFrom(ctx context.Context, load func() (Config, error)) error {
	cfg, err := load()
	if err == nil {
		err = cfg.Validate()
	}
	if err == nil {
		cfg = cfg.fitting(p.store)
		err = p.started.fixedBy(cfg)
	}
	if err == nil {
		err = p.use(ctx, cfg)
	}
	result := "used"
	if err != nil {
		result = "refused"
	}
	p.watch.reloads.WithLabelValues(result).Inc()
	return err
}

// fixedBy reports what only a restart can change.
func (c Config) fixedBy(next Config) error {
	var f faults
	a, b := Settings(&c), Settings(&next)
	for i, s := range a {
		if fixed[s.Name] && s.String() != b[i].String() {
			f = append(f, fmt.Errorf("%s can be changed by a restart only", s.Name))
		}
	}
	f.require((c.TLSCert == "") == (next.TLSCert == ""), "TLS is switched on and off by a restart only")
	return f.join()
}

// fixed are the settings that a reload does not change.
var fixed = map[string]bool{
	"upstream": true, "listen": true, "admin": true, "admin-token": true, "store": true, "data": true, "service": true, "window": true,
	"max-in-flight": true, "max-header": true, "header-timeout": true, "dial-timeout": true, "upstream-idle": true, "drain": true, "stream-drain": true,
	"log-level": true, "log-format": true,
}

// ServeHTTP guards what is keyed and passes everything else on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why := refused(r.Method); why != "" {
		refuse(w, http.StatusNotImplemented, why)
		return
	}
	openTrailers(r)
	now := p.now.Load()
	t := now.find(r)
	if !t.guards(r) {
		now.stream.ServeHTTP(w, r)
		return
	}
	if t.known != nil { // before it has a place: a stranger's token may wait for the issuer
		if r = t.known(w, r); r == nil {
			return
		}
	}
	select {
	case p.places <- struct{}{}:
		defer func() { <-p.places }()
	default:
		p.watch.refused.Inc()
		w.Header().Set("Retry-After", "1")
		w.Header().Set(oncehttp.HeaderOutcome, oncehttp.OutcomeFreed)
		refuse(w, http.StatusServiceUnavailable, "Too many requests are under way. This one was not looked at; send the same key again.")
		return
	}
	p.watch.inFlight.Inc()
	defer p.watch.inFlight.Dec()
	// A client that stops reading its reply must not keep its place for ever.
	began, spent := time.Now(), new(timer)
	_ = http.NewResponseController(w).SetWriteDeadline(began.Add(t.longest))
	t.once.ServeHTTP(w, bounded(w, r.WithContext(context.WithValue(r.Context(), timerKey{}, spent)), began.Add(t.bodyIn), spent))
	t.added.Observe(spent.over(began).Seconds())
}

// Guarantees says what holds on each route.
func (p *Proxy) Guarantees() []string {
	now := p.now.Load()
	out := make([]string, 0, len(now.tracks)+1)
	for _, t := range now.tracks {
		out = append(out, t.describe())
	}
	return append(out, now.rest.describe())
}

// Close ends the proxy: what runs may end until ctx does, replies are saved, and the store is closed.
func (p *Proxy) Close(ctx context.Context) error {
	p.closing.Store(true)
	p.streams.drain()
	err := p.guard.Close(ctx)
	p.end()
	p.up.transport.CloseIdleConnections()
	return err
}
