package faults_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward/faults"
)

// The client sees a RST and not the end of a connection (HTTP/1), or loses the stream and keeps the connection (HTTP/2). The work is
// done in the cases in which the log says so.
func TestReset(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var bank ledger
			var log events
			w := newWire(t, protocol, newNetwork(t, &bank, faults.Config{Faults: []faults.Fault{faults.Reset(1)}, Log: log.add}))
			const sends = 20
			for i := range sends {
				resp, _, err := w.post(t.Context(), "/pay", fmt.Sprint(i), "x")
				if err == nil {
					t.Fatalf("send %d: the client got %v", i, resp)
				}
				if protocol == "HTTP/1.1" && !errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("send %d: the client saw %v, want a reset", i, err)
				}
			}
			details := map[string]int{}
			for _, e := range log.list() {
				details[e.Detail]++
			}
			before, after := details["before the work"], details["after the work"]
			if before == 0 || after == 0 || before+after != sends {
				t.Errorf("details %v: want both kinds", details)
			}
			if got := len(bank.executed()); got != after {
				t.Errorf("executed %d times, want %d", got, after)
			}
			if want := map[string]int{"HTTP/1.1": sends, "HTTP/2.0": 1}[protocol]; w.connections() != want {
				t.Errorf("%d connections, want %d", w.connections(), want)
			}
		})
	}
}

// An abort is not a reset: this is what TestReset tells apart.
func TestLoseReplyIsNoReset(t *testing.T) {
	w := newWire(t, "HTTP/1.1", newNetwork(t, &ledger{}, faults.Config{Faults: []faults.Fault{faults.LoseReply(1)}}))
	if _, _, err := w.post(t.Context(), "/pay", "k", "x"); err == nil || errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client saw %v", err)
	}
}

// Under TLS the connection below is reset, without a goodbye.
func TestResetUnderTLS(t *testing.T) {
	n := newNetwork(t, &ledger{}, faults.Config{Faults: []faults.Fault{faults.Reset(1)}})
	server := httptest.NewTLSServer(n)
	defer server.Close()
	for i := range 6 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Send", fmt.Sprint(i))
		resp, err := server.Client().Do(r)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("send %d: %v, want a reset", i, err)
		}
	}
}

// Where nothing can be hijacked, the exchange is aborted, and a reset that is delayed comes late.
func TestResetWithoutAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, &ledger{}, faults.Config{Faults: []faults.Fault{faults.Reset(1), faults.Delay(1, time.Second, time.Second)}})
		for i := range 10 {
			start := time.Now()
			if !serve(n, httptest.NewRecorder(), request(fmt.Sprint(i), "/")) {
				t.Error("not aborted")
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("took %v", took)
			}
		}
	})
}
