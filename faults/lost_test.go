package faults_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/onceward/onceward/faults"
)

// Without a fault, a network changes nothing.
func TestNoFaultPassesThrough(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var bank ledger
			var log events
			w := newWire(t, protocol, newNetwork(t, &bank, faults.Config{Faults: []faults.Fault{faults.LoseReply(0)}, Log: log.add}))
			resp, body, err := w.post(t.Context(), "/pay", "k", "10 EUR")
			if err != nil || resp.StatusCode != http.StatusCreated || body != reply || resp.Proto != protocol {
				t.Fatalf("got %v %q %v", resp, body, err)
			}
			if got := bank.executed(); len(got) != 1 || got[0] != "10 EUR" || len(log.list()) != 0 {
				t.Fatalf("executed %q, log %v", got, log.list())
			}
		})
	}
}

func TestLost(t *testing.T) {
	for _, tt := range []struct {
		fault    faults.Fault
		executed int
	}{
		{faults.LoseRequest(1), 0},
		{faults.LoseReply(1), 1},
	} {
		for _, protocol := range protocols {
			t.Run(tt.fault.Name()+"/"+protocol, func(t *testing.T) {
				var bank ledger
				var log events
				w := newWire(t, protocol, newNetwork(t, &bank, faults.Config{Faults: []faults.Fault{tt.fault}, Log: log.add}))
				resp, _, err := w.post(t.Context(), "/pay", "k", "10 EUR")
				if err == nil {
					t.Fatalf("the client got %v", resp)
				}
				if got := len(bank.executed()); got != tt.executed {
					t.Errorf("executed %d times, want %d", got, tt.executed)
				}
				got := log.list()
				if len(got) != 1 || got[0].Fault != tt.fault.Name() || got[0].Arrival != 1 || got[0].Method != "POST" || got[0].Path != "/pay" {
					t.Errorf("log: %v", got)
				}
			})
		}
	}
}

// An abort costs an HTTP/1 client its connection and an HTTP/2 client only the stream; both can go on.
func TestClientGoesOnAfterAnAbort(t *testing.T) {
	for protocol, conns := range map[string]int{"HTTP/1.1": 2, "HTTP/2.0": 1} {
		t.Run(protocol, func(t *testing.T) {
			var bank ledger
			lossy := newNetwork(t, &bank, faults.Config{Faults: []faults.Fault{faults.LoseReply(1)}})
			mux := http.NewServeMux()
			mux.Handle("/good", &bank)
			mux.Handle("/bad", lossy)
			w := newWire(t, protocol, mux)
			for _, path := range []string{"/good", "/bad", "/good"} {
				if _, _, err := w.post(t.Context(), path, "", "x"); (err != nil) != (path == "/bad") {
					t.Fatalf("%s: %v", path, err)
				}
			}
			if len(bank.executed()) != 3 {
				t.Errorf("executed %d times, want 3", len(bank.executed()))
			}
			if got := w.connections(); got != conns {
				t.Errorf("%d connections, want %d", got, conns)
			}
		})
	}
}

// The work is done although the client has hung up long before.
func TestLoseReplyOutlivesItsClient(t *testing.T) {
	started, hungUp := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	upstream := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // only then does net/http notice that a client has gone
		close(started)
		<-hungUp
		ended <- r.Context().Err()
	})
	n := newNetwork(t, upstream, faults.Config{Faults: []faults.Fault{faults.LoseReply(1)}})
	noticed := make(chan struct{})
	w := newWire(t, "HTTP/1.1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		context.AfterFunc(r.Context(), func() { close(noticed) })
		n.ServeHTTP(w, r)
	}))
	ctx, hangUp := context.WithCancel(t.Context())
	go func() { <-started; hangUp() }()
	if _, _, err := w.post(ctx, "/pay", "k", "x"); !errors.Is(err, context.Canceled) {
		t.Fatalf("client: %v", err)
	}
	<-noticed
	close(hungUp)
	if err := n.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the upstream's context ended with its client: %v", err)
	}
}

func TestReverseProxyAsUpstream(t *testing.T) {
	var bank ledger
	server := httptest.NewServer(&bank)
	defer server.Close()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	for _, tt := range []struct {
		faults   []faults.Fault
		executed int
	}{
		{[]faults.Fault{faults.LoseReply(1)}, 1},
		{[]faults.Fault{faults.CutReply(1), faults.Duplicate(1)}, 2},
	} {
		before := len(bank.executed())
		n := newNetwork(t, proxy, faults.Config{Faults: tt.faults})
		w := newWire(t, "HTTP/1.1", n)
		if _, _, err := w.post(t.Context(), "/pay", "k", "10 EUR"); err == nil {
			t.Errorf("%v: the client saw nothing", tt.faults)
		}
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := bank.executed()[before:]; len(got) != tt.executed || strings.Join(got, "") != strings.Repeat("10 EUR", tt.executed) {
			t.Errorf("%v: executed %q, want %d", tt.faults, got, tt.executed)
		}
	}
}
