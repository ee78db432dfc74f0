package inprocess

import (
	"context"
	"net/http"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// shop is the handler behind the middleware, over a memory store of its own.
type shop struct {
	handler http.Handler
	guard   *onceward.Guard
}

func user(r *http.Request) (string, error) { return r.Header.Get("X-User"), nil }

func newShop() *shop {
	guard, err := onceward.New(memstore.New(memstore.Config{MaxRecords: memstore.NoLimit, MaxBytes: memstore.NoLimit}), onceward.Config{})
	if err != nil {
		panic(err)
	}
	once, err := oncehttp.Middleware(guard, oncehttp.Principal("orders", user), oncehttp.Config{})
	if err != nil {
		panic(err)
	}
	return &shop{handler: once(http.HandlerFunc(handler)), guard: guard}
}

func (s *shop) close() {
	if s != nil {
		_ = s.guard.Close(context.Background())
	}
}
