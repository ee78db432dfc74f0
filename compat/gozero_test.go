package compat

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/zeromicro/go-zero/core/conf"
	"github.com/zeromicro/go-zero/core/logx"
	"github.com/zeromicro/go-zero/core/stat"
	"github.com/zeromicro/go-zero/rest"
	"github.com/zeromicro/go-zero/rest/httpx"
)

// serveGoZero has all of go-zero's own middleware outside: timeout, recoverer, breaker, shedding.
func serveGoZero(t *testing.T, once wrapper, s *shop) http.Handler {
	logx.Disable()
	stat.DisableLog()
	var cfg rest.RestConf
	if err := conf.FillDefault(&cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Name = "orders"
	server, err := rest.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server.Use(rest.ToMiddleware(once))
	server.AddRoutes([]rest.Route{
		{Method: http.MethodPost, Path: "/orders", Handler: func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			made, err := s.order(r.Context(), body)
			var no *refusal
			if errors.As(err, &no) {
				httpx.ErrorCtx(r.Context(), w, err, func(w http.ResponseWriter, err error) { http.Error(w, err.Error(), no.status) })
				return
			}
			w.Header().Set("Location", made.location())
			httpx.WriteJsonCtx(r.Context(), w, http.StatusCreated, made)
		}},
		{Method: http.MethodPost, Path: "/stream", Handler: streamHandler(s)},
		{Method: http.MethodPost, Path: "/created", Handler: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			streamHandler(s)(w, r)
		}},
		{Method: http.MethodGet, Path: "/orders", Handler: func(w http.ResponseWriter, _ *http.Request) { httpx.Ok(w) }},
	})
	built, err := rest.NewServerless(server)
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(built.Serve)
}

// go-zero's timeout middleware forgets the status of a reply that is flushed. The record has it.
func TestOrderGoZeroStreamLosesItsStatus(t *testing.T) {
	s := open(t, framework{"go-zero", 500, serveGoZero})
	close(s.shop.gate)
	want(t, "first", s.post("/created", "k", tea), http.StatusOK, "")
	want(t, "again", s.post("/created", "k", tea), http.StatusCreated, "")
}
