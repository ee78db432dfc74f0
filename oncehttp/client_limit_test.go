package oncehttp

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
	"github.com/onceward/onceward/store/memstore"
)

// TestACopyOfARefusedSendIsALimit shows what "not executed" does not cover: a network that keeps a copy of a send whose own reply was a refusal. The
// copy takes effect when it is delivered, although the client was right about all that it had sent itself. The same key is safe all the same.
func TestACopyOfARefusedSendIsALimit(t *testing.T) {
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close(t.Context())
	scope := func(*http.Request) (onceward.Scope, error) {
		return onceward.Scope{Service: "bank", Principal: "ann"}, nil
	}
	once, err := Middleware(guard, scope, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var busy atomic.Bool
	var effects atomic.Int32
	busy.Store(true)
	url := reviewed(t, once(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if busy.Load() {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		effects.Add(1)
		w.WriteHeader(http.StatusCreated)
	})).ServeHTTP)
	copied := &copying{}
	client := newTestClient(t, ClientConfig{Transport: copied, Policy: retry.Policy{Attempts: 1}})
	op, err := client.Prepare(post(t, url, "pay"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Send(t.Context(), op); onceward.FateOf(err) != onceward.NotExecuted {
		t.Fatalf("a send that was refused is %v: %v", onceward.FateOf(err), err)
	}
	busy.Store(false)
	copied.deliver(t)
	if effects.Load() != 1 {
		t.Fatalf("%d effects: if a copy cannot run any more, guarantees.md may promise more", effects.Load())
	}
	if _, err := client.Send(t.Context(), op); err != nil || effects.Load() != 1 {
		t.Errorf("the same operation again: %v, %d effects", err, effects.Load())
	}
}

// copying keeps a copy of the last request.
type copying struct {
	req  *http.Request
	body string
}

func (c *copying) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	c.req, c.body = req, string(body)
	return c.send()
}

func (c *copying) send() (*http.Response, error) {
	again := c.req.Clone(c.req.Context())
	again.Body = io.NopCloser(strings.NewReader(c.body))
	return http.DefaultTransport.RoundTrip(again)
}

func (c *copying) deliver(t *testing.T) {
	t.Helper()
	c.req = c.req.WithContext(t.Context())
	resp, err := c.send()
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
