package sidecar

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// An upstream that recognises copies, as on-lapse rerun wants it, says "still at it" to the retry. That is not the operation's reply.
func TestAnothersInProgressIsNoReply(t *testing.T) {
	g, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{Wait: onceward.NoWait})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close(context.Background()) })
	bank, err := oncehttp.Middleware(g, oncehttp.Principal("bank", func(*http.Request) (string, error) { return "proxy", nil }), oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var effects atomic.Int32
	gate := make(chan struct{})
	up := httptest.NewServer(bank(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		effects.Add(1)
		<-gate
		w.WriteHeader(201)
		_, _ = io.WriteString(w, "paid")
	})))
	t.Cleanup(up.Close)
	b := start(t, up.URL, func(c *Config) { c.OnLapse, c.Timeout, c.Wait = LapseRerun, 300*time.Millisecond, 0 })
	b.expect(b.post("k", "x"), 504, "doubted")
	if a := b.post("k", "x"); !a.is(409) || a.outcome() != "doubted" || !a.says("in-progress") {
		t.Errorf("while the upstream is at it: %d %q %s", a.StatusCode, a.outcome(), a.problem())
	}
	close(gate)
	var a answer
	for range 1000 { // until the upstream has saved its reply
		if a = b.post("k", "x"); !a.is(409) && !a.is(504) {
			break
		}
	}
	b.expect(a, 201, "saved")
	if again := b.post("k", "x"); again.body != "paid" || !again.replayed() || effects.Load() != 1 {
		t.Errorf("%q, replayed %v, %d effects", again.body, again.replayed(), effects.Load())
	}
}

func TestWhatAnUpstreamSaysOfAnEndIsKept(t *testing.T) {
	problem := func(name string) string { return `{"type":"` + oncehttp.ProblemBase + name + `","status":409}` }
	header := func(more ...string) http.Header {
		h := http.Header{"Content-Type": {oncehttp.ProblemType}, "Onceward-Window": {"60"}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	for _, name := range openProblems {
		if !stillOpen(header(), []byte(problem(name))) {
			t.Errorf("%s is taken for an end", name)
		}
	}
	for _, name := range []string{"key-reused", "not-executed", "reply-not-kept", "key-expired", "body-too-large"} {
		if stillOpen(header(), []byte(problem(name))) {
			t.Errorf("%s is taken for open", name)
		}
	}
	open := []byte(problem("in-progress"))
	for name, h := range map[string]http.Header{
		"a handler's own": header("Onceward-Outcome", "saved"), "no problem": header("Content-Type", "application/json"), "nobody of ours": {"Content-Type": {oncehttp.ProblemType}},
	} {
		if stillOpen(h, open) {
			t.Errorf("%s is taken for open", name)
		}
	}
}

// An upstream whose own records are away has carried nothing out: a route may say so.
func TestAnUpstreamsStoreMayBeAway(t *testing.T) {
	up := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", oncehttp.ProblemType)
		w.Header().Set(oncehttp.HeaderWindow, "60")
		w.WriteHeader(503)
		_, _ = io.WriteString(w, `{"type":"`+oncehttp.ProblemBase+`store-unavailable","status":503}`)
	})
	for outcome, free := range map[string][]int{"freed": {503}, "doubted": nil} {
		b := start(t, up.URL, func(c *Config) { c.Routes = []Route{{Match: "POST /orders", Free: free}} })
		b.expect(b.post("k", "x"), 503, outcome)
	}
}
