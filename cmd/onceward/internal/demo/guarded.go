package demo

import (
	"context"
	"errors"
	"net/http"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// guarded is the server half around the bank.
func guarded(t *trial) func(http.Handler) (server, error) {
	return func(bank http.Handler) (server, error) {
		guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{Observer: onceward.Observer{
			Call: func(_ context.Context, e onceward.CallEvent) {
				if e.Replayed {
					t.replays.Add(1)
				}
			},
		}})
		if err != nil {
			return server{}, err
		}
		// Everybody here is one customer. A real bank takes the principal from its authentication.
		customer := func(*http.Request) (string, error) { return "customer", nil }
		once, err := oncehttp.Middleware(guard, oncehttp.Principal("bank", customer), oncehttp.Config{})
		if err != nil {
			return server{}, errors.Join(err, guard.Close(context.Background()))
		}
		return server{handler: once(bank), end: guard.Close}, nil
	}
}

// unguarded is a bank with nothing around it.
func unguarded(bank http.Handler) (server, error) {
	return server{handler: bank, end: func(context.Context) error { return nil }}, nil
}
