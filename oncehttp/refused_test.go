package oncehttp_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// What the executor does not get to see is told by the middleware, with its cause; what it sees is its observer's.
func TestRefusedHearsWhatTheObserverCannot(t *testing.T) {
	g, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(t.Context())
	var heard []string
	cause := errors.New("no session")
	mw, err := oncehttp.Middleware(g, oncehttp.Principal("orders", func(r *http.Request) (string, error) {
		if r.Header.Get("X-User") == "" {
			return "", cause
		}
		return "alice", nil
	}), oncehttp.Config{MaxBody: 4, Refused: func(r *http.Request, problem string, err error) {
		heard = append(heard, problem)
		if problem == "scope-missing" && !errors.Is(err, cause) {
			t.Errorf("the cause is lost: %v", err)
		}
		if r == nil || err == nil {
			t.Error("no request or no error")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := mw(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	send := func(body string, headers ...string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	send("x", "X-User", "alice")
	send("x", "X-User", "alice", "Idempotency-Key", "a,b")
	send("x", "Idempotency-Key", "k")
	send("hello", "X-User", "alice", "Idempotency-Key", "k")
	send("x", "X-User", "alice", "Idempotency-Key", "k")
	send("y", "X-User", "alice", "Idempotency-Key", "k") // key-reused, which the guard says
	if want := []string{"key-missing", "key-invalid", "scope-missing", "body-too-large"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}
