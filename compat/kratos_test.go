package compat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5/middleware"
	kratos "github.com/go-kratos/kratos/v2/errors"
	"github.com/go-kratos/kratos/v2/log"
	"github.com/go-kratos/kratos/v2/middleware/recovery"
	transport "github.com/go-kratos/kratos/v2/transport/http"
)

// serveKratos has a recoverer as a filter: Kratos' own recovery is service middleware, which is inside of every filter.
func serveKratos(_ *testing.T, once wrapper, s *shop) http.Handler {
	return kratosServer(s, transport.Filter(middleware.Recoverer, once))
}

func kratosServer(s *shop, opts ...transport.ServerOption) http.Handler {
	log.SetLogger(log.NewStdLogger(io.Discard))
	server := transport.NewServer(opts...)
	route := server.Route("/")
	route.POST("/orders", func(c transport.Context) error {
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		// As in generated code: the service's method is called by way of the middleware.
		made, err := c.Middleware(func(ctx context.Context, req any) (any, error) { return s.order(ctx, req.([]byte)) })(c.Request().Context(), body)
		var no *refusal
		if errors.As(err, &no) {
			return kratos.New(no.status, "REFUSED", no.text)
		}
		if err != nil {
			return err
		}
		c.Response().Header().Set("Location", made.(order).location())
		return c.JSON(http.StatusCreated, made)
	})
	route.POST("/stream", func(c transport.Context) error {
		streamHandler(s)(c.Response(), c.Request())
		return nil
	})
	route.GET("/orders", func(c transport.Context) error { return c.String(http.StatusOK, "") })
	return server
}

// Kratos' own recovery is service middleware and so inside of the guard: it makes a saved 500 out of a panic.
func TestOrderKratosRecoveryIsInside(t *testing.T) {
	s := open(t, framework{"kratos", 500, func(_ *testing.T, once wrapper, s *shop) http.Handler {
		return kratosServer(s, transport.Filter(once), transport.Middleware(recovery.Recovery()))
	}})
	for range 2 {
		a := s.post("/orders", "k", `{"do":"panic"}`)
		want(t, "a panic", a, http.StatusInternalServerError, "")
		if got := a.header.Get("Onceward-Outcome"); got != "saved" {
			t.Errorf("outcome %q", got)
		}
	}
	s.shop.wantOrders(t, 1)
}
