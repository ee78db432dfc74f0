package oncehttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// Without a key nothing makes a second send harmless.
func TestClientUnkeyedSendsAgainOnlyWhatWasNotSent(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(w http.ResponseWriter) bool
		fate onceward.Fate
	}{
		"lost":  {func(w http.ResponseWriter) bool { return breakOff(w, "") }, onceward.Unknown},
		"cut":   {func(w http.ResponseWriter) bool { return breakOff(w, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") }, onceward.Unknown},
		"503":   {func(w http.ResponseWriter) bool { w.WriteHeader(503); return true }, onceward.Unknown},
		"freed": {func(w http.ResponseWriter) bool { return mark(w, OutcomeFreed, 503) }, onceward.NotExecuted},
	} {
		for _, body := range []string{"", "pay 5"} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, len(body)), func(t *testing.T) {
				s := startTiny(t, func(_ int, w http.ResponseWriter) bool { return c.lose(w) })
				client := newTestClient(t, ClientConfig{Unkeyed: true})
				op, err := client.Prepare(post(t, s.URL, body))
				if err != nil {
					t.Fatal(err)
				}
				_, err = client.Send(t.Context(), op)
				if onceward.FateOf(err) != c.fate || !errors.Is(err, retry.ErrNotRepeatable) || len(s.called()) != 1 {
					t.Errorf("%v after %d calls", err, len(s.called()))
				}
				if h := s.called()[0]; h.Get(HeaderKey) != "" || h.Get(HeaderHorizon) != "" {
					t.Errorf("a key: %v", h)
				}
				if _, err = client.Send(t.Context(), op); c.fate == onceward.Unknown && (!errors.Is(err, retry.ErrNotRepeatable) || onceward.FateOf(err) != onceward.Unknown || len(s.called()) != 1) {
					t.Errorf("sent again: %v after %d calls", err, len(s.called()))
				}
			})
		}
	}
}

func TestClientUnkeyedRefusedConnectionIsTriedAgain(t *testing.T) {
	s := startTiny(t, nil)
	dials := 0
	transport := newTransport()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials <= 2 {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	resp, err := newTestClient(t, ClientConfig{Unkeyed: true, Transport: transport}).Do(post(t, s.URL, "pay 5"))
	if err != nil || bodyOf(t, resp) != "done: pay 5" || dials != 3 {
		t.Errorf("%v after %d dials", err, dials)
	}
}

// net/http takes a header for its licence to send again, also one that the caller set for somebody else, and one without a value.
func TestClientUnkeyedHasNoHiddenSends(t *testing.T) {
	const idle = 5
	for _, h := range []http.Header{{"X-Idempotency-Key": {"k"}}, {HeaderKey: {}}} {
		for _, body := range []string{"", "pay 5"} {
			url, executions := dyingServer(t, idle)
			transport := newTransport()
			warmUp(t, transport, url, idle)
			req := post(t, url, body)
			req.Header = h.Clone()
			_, err := newTestClient(t, ClientConfig{Transport: transport, Unkeyed: true}).Do(req)
			if onceward.FateOf(err) != onceward.Unknown || executions.Load() != 1 {
				t.Errorf("%v, %d bytes: %d executions: %v", h, len(body), executions.Load(), err)
			}
		}
	}
}

func TestClientUnkeyedKeepsTheCallersKeyAndIsNotSaved(t *testing.T) {
	client := newTestClient(t, ClientConfig{Unkeyed: true})
	op, err := client.Prepare(post(t, "http://bank.example/", "pay 5"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(op); !errors.Is(err, errNoKeyToSave) {
		t.Errorf("saved: %v", err)
	}
	req := post(t, "http://bank.example/", "pay 5")
	req.Header.Set(HeaderKey, "mine")
	if op, err = client.Prepare(req); err != nil || op.Key().Text() != "mine" {
		t.Errorf("%v %v", op, err)
	}
}
