package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/onceward/onceward/store"
)

// closeTime is how much longer than Drain the end may take: the store is closed, and its files.
const closeTime = 20 * time.Second

// ErrCutOff is what [Proxy.Run] returns if requests were still under way when Drain was over. Keyed ones among them are unknown, or run again.
var ErrCutOff = errors.New("some requests were still under way and were cut off; a longer drain waits for them")

// ErrStoreFailed is what [Proxy.Run] returns if the store has failed for good, as the embedded one does after an error of the disk: a new process is to open it again.
var ErrStoreFailed = errors.New("the store has failed, and serves nobody until it is opened again")

// mortal is a store that may fail for good.
type mortal interface {
	Failed() <-chan struct{} // closed then
	Err() error              // why
}

// immortal is one of others, which answer again when they can.
type immortal struct{}

func (immortal) Failed() <-chan struct{} { return nil }
func (immortal) Err() error              { return nil }

func mortalOf(s store.Store) mortal {
	if m, ok := s.(mortal); ok {
		return m
	}
	return immortal{}
}

// Run listens and serves until ctx ends, which is no error, or the store has failed for good. It then takes no more requests, lets those under way end, for
// Drain at most and streams for StreamDrain, and closes the proxy and its store. If the environment has NOTIFY_SOCKET, as systemd sets it, both are told
// there.
func (p *Proxy) Run(ctx context.Context) error {
	admin, err := p.adminServer()
	var doors *listeners
	if err == nil {
		doors, err = p.listen(ctx)
	}
	if err != nil {
		return errors.Join(err, p.Close(context.WithoutCancel(ctx)))
	}
	public := p.publicServer()
	served := make(chan error, 2)
	serve := func() { served <- public.Serve(doors.public) }
	if c := p.tls(); c != nil {
		public.TLSConfig = c
		serve = func() { served <- public.ServeTLS(doors.public, "", "") }
	}
	go serve()
	go func() { served <- admin.Serve(doors.admin) }()
	p.announce(doors)
	boss := supervisor{os.Getenv("NOTIFY_SOCKET"), p.watch.log}
	boss.ready(ctx)
	select {
	case <-ctx.Done():
	case err = <-served:
		err = fmt.Errorf("a listener failed: %w", err)
	case <-p.fatal.Failed():
		err = fmt.Errorf("%w: %w", ErrStoreFailed, p.fatal.Err())
	}
	ctx = context.WithoutCancel(ctx)
	boss.stopping(ctx, p.started.Drain+closeTime)
	return errors.Join(err, p.drain(ctx, public, admin))
}

// drain ends in the order in which nothing is lost: no new requests, the running ones end, their replies are saved, the store is closed. The admin
// listener is there until then. What is not keyed may use up the whole Drain; the records have some time beyond it.
func (p *Proxy) drain(ctx context.Context, public, admin *http.Server) error {
	p.closing.Store(true)
	p.streams.drain()
	p.watch.log.Info("shutting down", slog.Duration("drain", p.started.Drain))
	closing, end := context.WithTimeout(ctx, p.started.Drain+closeTime/2)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, p.started.Drain)
	defer cancel()
	var late error
	if public.Shutdown(ctx) != nil && len(p.places) > 0 { // else it waited for what is not keyed
		late, closing = ErrCutOff, ctx
	}
	public.Close()
	err := p.Close(closing)
	admin.Close()
	if n := p.streams.cut.Load(); n > 0 {
		p.watch.log.Info("streams were cut off", slog.Int64("streams", n))
	}
	return errors.Join(late, err)
}

// announce says where the proxy is.
func (p *Proxy) announce(doors *listeners) {
	scheme := "http"
	if p.certs.Load() != nil {
		scheme = "https"
	}
	p.watch.log.Info("listening", slog.String("url", scheme+"://"+doors.public.Addr().String()), slog.String("admin", doors.admin.Addr().Network()+":"+doors.admin.Addr().String()),
		slog.String("upstream", p.up.url.Redacted()), slog.String("scope", p.started.Scope), slog.String("store", p.store.Traits().Name))
	for _, weak := range p.now.Load().rest.guard.Guarantee().Weakened {
		p.watch.log.Info("what weakens the promise", slog.String("because", weak))
	}
}
