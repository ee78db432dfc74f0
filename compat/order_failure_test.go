package compat

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// Inside, a recoverer makes a reply of the panic: a 500 that is saved and replayed for ever, although nobody knows how far the handler came.
// Outside the outcome is unknown, and somebody can resolve it.
func TestOrderRecovererInsideSavesThe500(t *testing.T) {
	s := build(t, wired{inside: []wrapper{middleware.Recoverer}})
	for range 2 {
		a := s.post("k", `{"do":"panic"}`)
		if want(t, "inside", a, http.StatusInternalServerError, ""); a.header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeSaved {
			t.Errorf("inside: %v", a.header)
		}
	}
	s = build(t, wired{outside: []wrapper{middleware.Recoverer}})
	first := s.post("k", `{"do":"panic"}`)
	if want(t, "outside", first, http.StatusInternalServerError, ""); first.header.Get(oncehttp.HeaderOutcome) != "" {
		t.Errorf("outside: %v", first.header)
	}
	want(t, "outside, again", s.post("k", `{"do":"panic"}`), http.StatusConflict, "outcome-unknown")
}

// With Rerun, only a panic that gets through runs again.
func TestOrderRecovererInsideEndsReruns(t *testing.T) {
	panicOnce := func(s *shop) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if s.orders.Load() == 0 {
				s.orders.Add(1)
				panic("the till is broken")
			}
			orderHandler(s)(w, r)
		}
	}
	rerun := onceward.Config{OnLapse: onceward.Rerun}
	s := build(t, wired{inside: []wrapper{middleware.Recoverer}, cfg: rerun, handler: panicOnce})
	want(t, "inside", s.post("k", tea), http.StatusInternalServerError, "")
	want(t, "inside, again", s.post("k", tea), http.StatusInternalServerError, "")

	s = build(t, wired{outside: []wrapper{middleware.Recoverer}, cfg: rerun, handler: panicOnce})
	want(t, "outside", s.post("k", tea), http.StatusInternalServerError, "")
	want(t, "outside, again", s.post("k", tea), http.StatusCreated, "")
}

// Inside, a timeout is a doubt, and what the handler makes in the end reaches nobody. Outside only the answer is given up: the work goes on
// under the guard, and the retry gets its reply.
func TestOrderTimeoutInsideLosesTheReply(t *testing.T) {
	const wait = `{"item":"tea","do":"wait"}`
	late := func(outside bool) (s *site, again answer) {
		over := make(chan struct{})
		w := wired{inside: []wrapper{timeOutFirst(over)}}
		if outside {
			w = wired{outside: []wrapper{timeOutFirst(over)}}
		}
		s = build(t, w)
		first := make(chan answer, 1)
		go func() { first <- s.post("k", wait) }()
		<-s.shop.begun
		close(over)
		want(t, "first", <-first, http.StatusServiceUnavailable, "")
		close(s.shop.gate)
		return s, s.post("k", wait)
	}
	s, again := late(false)
	want(t, "inside, again", again, http.StatusConflict, "outcome-unknown")
	s.shop.wantOrders(t, 1)

	s, again = late(true)
	if want(t, "outside, again", again, http.StatusCreated, ""); !again.replayed() {
		t.Errorf("outside, again: %v", again.header)
	}
	s.shop.wantOrders(t, 1)
}

// timeOutFirst is http.TimeoutHandler for the first request, whose time is over when somebody says so.
func timeOutFirst(over <-chan struct{}) wrapper {
	first := make(chan struct{}, 1)
	first <- struct{}{}
	return func(next http.Handler) http.Handler {
		limited := http.TimeoutHandler(next, time.Hour, "too late")
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-first:
			default:
				next.ServeHTTP(w, r)
				return
			}
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			go func() {
				<-over
				cancel()
			}()
			limited.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}
