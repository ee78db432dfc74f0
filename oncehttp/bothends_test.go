package oncehttp_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
	"github.com/onceward/onceward/store/memstore"
)

// losesReplies runs the handler behind it and lets the first replies get lost.
func losesReplies(next http.Handler, lost int64) http.Handler {
	var calls atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > lost {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// The client against the middleware: what one writes the other reads.
func TestClientAndMiddleware(t *testing.T) {
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close(t.Context())
	scope := func(*http.Request) (onceward.Scope, error) {
		return onceward.Scope{Service: "bank", Principal: "ann"}, nil
	}
	once, err := oncehttp.Middleware(guard, scope, oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var effects, busy atomic.Int64
	handler := once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" && busy.Add(1) < 3 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		effects.Add(1)
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = w.Write(append([]byte("no: "), body...))
	}))
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{Policy: retry.Policy{Base: time.Millisecond, OverloadBase: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()

	for path, lost := range map[string]int64{"/pay": 3, "/busy": 0} {
		effects.Store(0)
		server := httptest.NewServer(losesReplies(handler, lost))
		defer server.Close()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, bytes.NewReader([]byte("pay 5")))
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		replayed := resp.Header.Get(oncehttp.HeaderReplayed) == "true"
		if effects.Load() != 1 || resp.StatusCode != http.StatusPaymentRequired || !strings.HasPrefix(string(body), "no: pay 5") || replayed != (lost > 0) {
			t.Errorf("%s: %d effects, %d %q, replayed %v", path, effects.Load(), resp.StatusCode, body, replayed)
		}
	}
}
