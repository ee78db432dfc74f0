package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/faults"
)

// sockets are the two servers of a run: the bank, and the network in front of it. Each listens on a loopback port of its own.
type sockets struct {
	URL      string // of the network: where the clients send
	bank     *http.Server
	front    *http.Server
	network  *faults.Network
	upstream *http.Transport
	struck   struck
}

// struck counts the faults that the clients met.
type struck struct{ requests, replies, duplicates atomic.Int64 }

func (s *struck) count(e faults.Event) {
	switch {
	case e.Skipped:
	case e.Fault == "lose-request":
		s.requests.Add(1)
	case e.Fault == "lose-reply":
		s.replies.Add(1)
	case e.Fault == "duplicate":
		s.duplicates.Add(1)
	}
}

// open starts both servers. The faults depend on the seed, the transfer, and how often it has been sent, and on nothing else: both
// runs meet the same ones.
func open(cfg Config, d *diary, handler http.Handler) (*sockets, error) {
	s := &sockets{upstream: newTransport()}
	bankURL, bank, err := listen(handler)
	if err != nil {
		return nil, err
	}
	s.bank = bank
	s.network, err = faults.New(newProxy(bankURL, s.upstream), faults.Config{
		Seed:          cfg.Seed,
		Faults:        []faults.Fault{faults.LoseReply(cfg.Loss), faults.LoseRequest(requestLoss), faults.Duplicate(duplication)},
		Identity:      func(r *http.Request) string { return r.Header.Get(headerTransfer) },
		Log:           s.struck.count,
		MaxIdentities: 2*cfg.Requests + faults.MinIdentities, // the newer half is remembered: all of them
	})
	if err != nil {
		return nil, errors.Join(err, bank.Close())
	}
	front, server, err := listen(watchNetwork(d, cfg.Requests, s.network))
	if err != nil {
		return nil, errors.Join(err, bank.Close())
	}
	s.front, s.URL = server, front.String()
	return s, nil
}

// close ends them in the order in which requests pass, so that every copy on the way still arrives and is counted.
func (s *sockets) close(ctx context.Context) error {
	front := s.front.Shutdown(ctx)
	network := s.network.Close(ctx)
	s.upstream.CloseIdleConnections() // or the bank would wait for connections that were never used
	return errors.Join(front, network, s.bank.Shutdown(ctx))
}

func listen(h http.Handler) (*url.URL, *http.Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("the demo needs a loopback port: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)} // aborted exchanges are what it is about
	go func() { _ = server.Serve(l) }()                                                                           // ends with Shutdown
	return &url.URL{Scheme: "http", Host: l.Addr().String()}, server, nil
}

// newProxy passes requests on to the bank, each once: net/http sends one with an Idempotency-Key again by itself
// unless it has a body that cannot be read twice.
func newProxy(bank *url.URL, transport *http.Transport) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(bank)
			p.Out.GetBody = nil
		},
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
	}
}

// newTransport keeps enough connections that no client waits for one.
func newTransport() *http.Transport {
	return &http.Transport{MaxIdleConns: MaxClients, MaxIdleConnsPerHost: MaxClients, IdleConnTimeout: time.Minute, DisableCompression: true}
}

// watchNetwork notes what comes to the network, and which exchanges it aborts.
func watchNetwork(d *diary, wanted int, network http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number, ok := numberOf(r.Header.Get(headerTransfer), wanted)
		if !ok {
			http.Error(w, "not of this demo", http.StatusBadRequest)
			return
		}
		d.note(number, event{step: stepSent})
		defer func() {
			if fault := recover(); fault != nil {
				d.note(number, event{step: stepDropped}) // before the client can know
				panic(fault)
			}
		}()
		network.ServeHTTP(w, r)
	})
}
