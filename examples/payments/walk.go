package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
)

// walk is everything that is on the stage:
//
//	client ─► front (a network) ─► service ─► ledger ◄─ worker ─► outside (a network) ─► provider
type walk struct {
	*teller
	bank     *bank
	database string // its URL; "": memory
	seed     uint64
	stage    *stage
	gap      func() // of the naive handler, between the work and the saving; may be nil
	service  http.Handler
	front    *network
	outside  *network
	url      string
	client   *oncehttp.Client
	worker   *worker
	provider *provider
	booked   map[string]int // how often each reference must stand in the ledger in the end
	paid     map[string]int // and how often the provider must have paid it
	close    []func()
}

// newMux is the service with the naive handler beside it.
func newMux(b *bank, l ledger, gap func()) (*http.ServeMux, error) {
	service, err := newService(b.executor, l)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", service)
	mux.Handle("POST /naive/transfers", &naive{b.naive, gap})
	return mux, nil
}

func newWalk(b *bank, database string, seed uint64, w io.Writer) (*walk, error) {
	t := &teller{w: w}
	s := &walk{
		teller: t, bank: b, database: database, seed: seed, stage: &stage{ledger: b.ledger}, booked: map[string]int{}, paid: map[string]int{},
		front: &network{tell: t, seed: seed}, outside: &network{tell: t, seed: seed + 1},
		provider: &provider{answers: map[string]paymentAnswer{}},
	}
	service, err := newMux(b, s.stage, func() {
		if s.gap != nil {
			s.gap()
		}
	})
	if err != nil {
		return nil, err
	}
	s.service = service
	s.front.lead(service)
	s.outside.lead(s.provider)
	urls := make([]string, 2)
	for i, h := range []http.Handler{s.front, s.outside} {
		url, server, err := listen(h)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		urls[i] = url
		s.close = append(s.close, func() { server.Close() })
	}
	s.url = urls[0]
	var err2 error
	s.client, err = s.newClient("client")
	s.worker = &worker{ledger: s.stage, url: urls[1] + "/payments"}
	s.worker.client, err2 = s.newClient("worker")
	return s, errors.Join(err, err2)
}

// newClient is patient and quick, so that the story is short. In production the defaults are right.
func (s *walk) newClient(name string) (*oncehttp.Client, error) {
	c, err := oncehttp.NewClient(oncehttp.ClientConfig{
		Policy: retry.Policy{Attempts: 8, Base: 5 * time.Millisecond, OverloadBase: 5 * time.Millisecond, PollInterval: 20 * time.Millisecond},
		Observer: retry.Observer{Attempt: func(_ context.Context, _ onceward.Key, a retry.Attempt) {
			if a.Next == retry.Retry {
				s.say(name, "%s: done or not? it sends the same again", strings.ReplaceAll(a.End.String(), "-", " "))
			}
		}},
	})
	if err == nil {
		s.close = append(s.close, c.CloseIdleConnections)
	}
	return c, err
}

// Close ends the servers and clients, the last first.
func (s *walk) Close() error {
	for i := len(s.close) - 1; i >= 0; i-- {
		s.close[i]()
	}
	return nil
}
