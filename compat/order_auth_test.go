package compat

import (
	"net/http"
	"testing"
	"time"

	"github.com/go-chi/httprate"
	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// Inside, authentication is not asked before a saved reply is given: whoever knows a key and claims to be Alice gets her reply.
func TestOrderAuthInsideGivesRepliesAway(t *testing.T) {
	steal := func(w wired) answer {
		s := build(t, w)
		want(t, "alice", s.post("k", tea, "Authorization", "Bearer a1"), http.StatusCreated, "")
		return s.post("k", tea, "Authorization", "forged", "X-User", "alice")
	}
	if a := steal(wired{inside: []wrapper{auth}}); a.status != http.StatusCreated || !a.replayed() {
		t.Errorf("inside: %d %q", a.status, a.body)
	}
	if a := steal(wired{outside: []wrapper{auth}}); a.status != http.StatusUnauthorized || a.replayed() {
		t.Errorf("outside: %d %q", a.status, a.body)
	}
}

// A scope that reads what authentication has established fails closed if there was none.
func TestOrderAuthInsideFailsClosed(t *testing.T) {
	byAuth := oncehttp.Principal("orders", user)
	s := build(t, wired{inside: []wrapper{auth}, scope: byAuth})
	want(t, "inside", s.post("k", tea, "Authorization", "Bearer a1"), http.StatusForbidden, "scope-missing")
	s.shop.wantOrders(t, 0)

	s = build(t, wired{outside: []wrapper{auth}, scope: byAuth})
	want(t, "alice", s.post("k", tea, "Authorization", "Bearer a1"), http.StatusCreated, "")
	again := s.post("k", tea, "Authorization", "Bearer a2")
	if want(t, "alice, with a new token", again, http.StatusCreated, ""); !again.replayed() {
		t.Errorf("a refreshed token is another operation: %v", again.header)
	}
	mallory := s.post("k", tea, "Authorization", "Bearer m1")
	if want(t, "mallory, with the same key", mallory, http.StatusCreated, ""); mallory.replayed() || mallory.body == again.body {
		t.Errorf("mallory got %q", mallory.body)
	}
	s.shop.wantOrders(t, 2)
}

// The principal is who calls, not the token: with the token, a retry after a refresh is another operation.
func TestOrderScopeOfATokenRunsTwice(t *testing.T) {
	byToken := oncehttp.Principal("orders", func(r *http.Request) (string, error) { return r.Header.Get("Authorization"), nil })
	s := build(t, wired{outside: []wrapper{auth}, scope: byToken})
	want(t, "alice", s.post("k", tea, "Authorization", "Bearer a1"), http.StatusCreated, "")
	if again := s.post("k", tea, "Authorization", "Bearer a2"); again.replayed() {
		t.Errorf("again: %v", again.header)
	}
	s.shop.wantOrders(t, 2)
}

// Inside, a limiter does not see replays and refusals: they cost the store as often as somebody likes.
func TestOrderRateLimitInsideSparesReplays(t *testing.T) {
	limit := func() wrapper { return httprate.LimitBy(3, time.Hour, httprate.Key("*")) }
	flood := func(w wired) (limited int) {
		s := build(t, w)
		for range 10 {
			if s.post("k", tea).status == http.StatusTooManyRequests {
				limited++
			}
		}
		s.shop.wantOrders(t, 1)
		return limited
	}
	if n := flood(wired{inside: []wrapper{limit()}}); n != 0 {
		t.Errorf("inside: %d of 10 limited", n)
	}
	if n := flood(wired{outside: []wrapper{limit()}}); n != 7 {
		t.Errorf("outside: %d of 10 limited, want 7", n)
	}
}

// Wherever it stands, a 429 burns no key.
func TestOrderRateLimitFreesTheKey(t *testing.T) {
	for name, w := range map[string]wired{
		"inside":  {inside: []wrapper{refuseFirst(http.StatusTooManyRequests)}},
		"outside": {outside: []wrapper{refuseFirst(http.StatusTooManyRequests)}},
	} {
		s := build(t, w)
		want(t, name, s.post("k", tea), http.StatusTooManyRequests, "")
		want(t, name, s.post("k", tea), http.StatusCreated, "")
		s.shop.wantOrders(t, 1)
	}
}

// Inside, a 503 of a load shedder is a doubt: the guard cannot know that nothing was done. Outside nothing is claimed.
func TestOrderSheddingInsideIsADoubt(t *testing.T) {
	s := build(t, wired{inside: []wrapper{refuseFirst(http.StatusServiceUnavailable)}})
	want(t, "inside", s.post("k", tea), http.StatusServiceUnavailable, "")
	want(t, "inside, again", s.post("k", tea), http.StatusConflict, "outcome-unknown")
	s.shop.wantOrders(t, 0)

	s = build(t, wired{outside: []wrapper{refuseFirst(http.StatusServiceUnavailable)}})
	want(t, "outside", s.post("k", tea), http.StatusServiceUnavailable, "")
	want(t, "outside, again", s.post("k", tea), http.StatusCreated, "")
	s.shop.wantOrders(t, 1)
}

// A shedder that must stand inside says that nothing was done.
func TestOrderSheddingInsideMaySayNoEffect(t *testing.T) {
	shed := refuseFirst(http.StatusServiceUnavailable)
	honest := func(next http.Handler) http.Handler {
		shedding := shed(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := onceward.NoEffect(r.Context()); err != nil {
				t.Error(err)
			}
			shedding.ServeHTTP(w, r)
		})
	}
	s := build(t, wired{inside: []wrapper{honest}})
	want(t, "first", s.post("k", tea), http.StatusServiceUnavailable, "")
	want(t, "again", s.post("k", tea), http.StatusCreated, "")
}

// refuseFirst answers the first request with status and lets the others pass.
func refuseFirst(status int) wrapper {
	first := make(chan struct{}, 1)
	first <- struct{}{}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-first:
				http.Error(w, "not now", status)
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}
