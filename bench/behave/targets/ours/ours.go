// Package ours is onceward as a target of package behave: oncehttp.Middleware over the memory store, in its default configuration.
package ours

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/bench/behave/contract"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// Setup says how the target is configured.
const Setup = "`oncehttp.Middleware` over `onceward.New(memstore.New(…))`, all defaults; two guards share the store. The short route has a lease of 200 ms and a window of 1 s."

// Variant changes what Start builds; the tests use it to build wrong servers. The zero Variant is onceward as it is.
type Variant struct {
	Guard      func(*onceward.Config)                        // of /effect and of its twin
	Short      func(*onceward.Config)                        // of /short
	Middleware func(*oncehttp.Config)                        // of all of them
	Outside    func(http.Handler) http.Handler               // around the middleware
	Inside     func(http.Handler) http.Handler               // around the handler
	Alone      bool                                          // the twin has a store of its own
	Both       func(guarded, bare http.Handler) http.Handler // instead of guarded
}

// The short route: a lease that is renewed within 50 ms, and the shortest window there is.
const (
	shortLease  = 200 * time.Millisecond
	shortWindow = time.Second
)

// Start starts the target: two guards on one store, each with its server, as two processes would share a database.
func Start() (contract.Running, error) { return StartVariant(Variant{}) }

// StartVariant starts a target that v may have broken.
func StartVariant(v Variant) (contract.Running, error) {
	shared := &switched{Store: memstore.New(memstore.Config{})}
	second := shared
	if v.Alone {
		second = &switched{Store: memstore.New(memstore.Config{})}
	}
	var guards []*onceward.Guard
	closeAll := func() {
		for _, g := range guards {
			_ = g.Close(context.Background()) // the servers have stopped; the second Close of a store is harmless
		}
	}
	guard := func(s *switched, cfg onceward.Config, change func(*onceward.Config)) (func(http.Handler) http.Handler, error) {
		if change != nil {
			change(&cfg)
		}
		g, err := onceward.New(s, cfg)
		if err != nil {
			return nil, err
		}
		guards = append(guards, g)
		return v.middleware(g)
	}
	first, err := guard(shared, onceward.Config{}, v.Guard)
	twin, err2 := guard(second, onceward.Config{}, v.Guard)
	brief := &switched{Store: memstore.New(memstore.Config{})}
	cfg := onceward.Config{Lease: shortLease, StoreTimeout: shortLease / 2, Window: shortWindow, Skew: time.Millisecond, MaintainEvery: shortWindow / 10}
	short, err3 := guard(brief, cfg, v.Short)
	shortTwin, err4 := guard(brief, cfg, v.Short)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		closeAll()
		return contract.Running{}, err
	}
	site := contract.Site{
		About: contract.About{Name: "onceward", Version: "this commit", Protocol: "onceward", Store: true,
			Lease: int(shortLease / time.Millisecond), Window: int(shortWindow / time.Millisecond)},
		Desk: contract.NewDesk(), Guard: first, Short: short, Store: shared.switchTo,
	}
	other := site
	other.Guard, other.Short = twin, shortTwin
	running, err := contract.Pair(site, other)
	if err != nil {
		closeAll()
		return running, err
	}
	stop := running.Stop
	running.Stop = func() {
		stop()
		closeAll()
	}
	return running, nil
}

func principal(r *http.Request) (string, error) { return r.Header.Get(contract.HeaderPrincipal), nil }

func (v Variant) middleware(g *onceward.Guard) (func(http.Handler) http.Handler, error) {
	cfg := oncehttp.Config{}
	if v.Middleware != nil {
		v.Middleware(&cfg)
	}
	once, err := oncehttp.Middleware(g, oncehttp.Principal("behave", principal), cfg)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		if v.Inside != nil {
			next = v.Inside(next)
		}
		guarded := once(next)
		if v.Both != nil {
			guarded = v.Both(guarded, next)
		}
		if v.Outside != nil {
			guarded = v.Outside(guarded)
		}
		return guarded
	}, nil
}
