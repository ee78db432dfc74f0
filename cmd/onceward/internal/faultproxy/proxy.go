package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/onceward/onceward/faults"
)

// ErrCutOff is what [Proxy.Run] returns if deliveries were still under way when the grace was over.
var ErrCutOff = errors.New("some requests were still under way and were cut off; a longer --grace waits for them")

// Proxy is a listener with a network that misbehaves behind it.
type Proxy struct {
	cfg       Config
	listener  net.Listener
	network   *faults.Network
	transport *http.Transport
	server    *http.Server
	journal   *journal
	places    chan struct{} // one is taken by each exchange under way
	refused   atomic.Uint64 // over MaxExchanges
	failed    atomic.Uint64 // the upstream did not answer
}

// New checks cfg and opens the listener. Whoever made the proxy calls Run or Close.
func New(cfg Config) (*Proxy, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	upstream, err := cfg.upstream()
	if err != nil {
		return nil, err
	}
	p := &Proxy{cfg: cfg, transport: newTransport(), journal: newJournal(), places: make(chan struct{}, cfg.MaxExchanges)}
	cable := newReverseProxy(upstream, cfg.KeepHost, p.transport, p.upstreamFailed)
	p.network, err = faults.New(cable, cfg.network(p.journal.write))
	if err != nil {
		return nil, err
	}
	p.listener, err = net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w; choose another port, or 0 for any free one", cfg.Listen, err)
	}
	if leadsTo(upstream, p.listener.Addr()) {
		p.listener.Close()
		return nil, fmt.Errorf("%w:\n--upstream %s is where --listen is: requests would go round in a circle", ErrConfig, cfg.Upstream)
	}
	p.server = newServer(limit(p.places, p.network, func() { p.refused.Add(1) }), cfg.Notes)
	return p, nil
}

// URL is where clients reach the proxy.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Close gives up a proxy that was never run.
func (p *Proxy) Close() error { return p.listener.Close() }

// Run serves until ctx ends, which is no error, or until log cannot be written. It then lets what is under way end, for Grace at
// most, and writes the summary. The log gets one JSON object a line for every fault that strikes.
func (p *Proxy) Run(ctx context.Context, log io.Writer) error {
	p.journal.begin(log)
	p.announce()
	served := make(chan error, 1)
	go func() { served <- p.server.Serve(p.listener) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		err = fmt.Errorf("the listener failed: %w", err)
	case <-p.journal.broken:
	}
	err = errors.Join(err, p.stop(context.WithoutCancel(ctx)))
	fmt.Fprintln(p.cfg.Notes, p.Summary())
	return errors.Join(err, p.journal.err())
}

// stop closes the listener and waits. Both halves wait at once: the server for its exchanges, some of which hang until the network is
// closed, and the network for deliveries whose client has gone.
func (p *Proxy) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Grace)
	defer cancel()
	shutdown := make(chan error, 1)
	go func() { shutdown <- p.server.Shutdown(ctx) }()
	closing := p.network.Close(ctx)
	late := <-shutdown != nil && len(p.places) > 0 // else it waited for connections that a client has opened and never used
	p.server.Close()
	p.transport.CloseIdleConnections()
	if closing != nil || late {
		return fmt.Errorf("%w (after %v)", ErrCutOff, p.cfg.Grace)
	}
	return nil
}

// upstreamFailed counts, and tells the first time why.
func (p *Proxy) upstreamFailed(err error) {
	if p.failed.Add(1) == 1 {
		fmt.Fprintf(p.cfg.Notes, "onceward faults: the upstream did not answer, the client gets 502: %v; further ones are counted only\n", err)
	}
}

// announce says where the proxy listens, and warns if that is not this machine alone.
func (p *Proxy) announce() {
	var struck []string
	for _, f := range p.cfg.faultFlags() {
		if f.probability > 0 {
			struck = append(struck, f.fault.String())
		}
	}
	if len(struck) == 0 {
		struck = []string{"no faults"}
	}
	fmt.Fprintf(p.cfg.Notes, "onceward faults: listening on %s, upstream %s, seed %d: %s\n", p.URL(), p.cfg.Upstream, p.cfg.Seed, strings.Join(struck, ", "))
	if tcp, ok := p.listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		fmt.Fprintf(p.cfg.Notes, "onceward faults: WARNING: --listen %s can be reached from other machines, and whoever reaches it reaches the upstream; "+
			"%s is for this machine only\n", p.cfg.Listen, DefaultListen)
	}
}
