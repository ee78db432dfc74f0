package faults_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward/faults"
)

// Whatever the point, the client sees status and headers, the whole length, a true prefix, and an error.
func TestCutReply(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var bank ledger
			w := newWire(t, protocol, newNetwork(t, &bank, faults.Config{Faults: []faults.Fault{faults.CutReply(1)}}))
			const sends = 40
			afterHeaders, inBody := 0, 0
			for i := range sends {
				resp, body, err := w.post(t.Context(), "/pay", fmt.Sprint(i), "x")
				if resp == nil {
					t.Fatalf("send %d: no reply at all: %v", i, err)
				}
				if err == nil || (protocol == "HTTP/1.1" && !errors.Is(err, io.ErrUnexpectedEOF)) {
					t.Fatalf("send %d: error %v", i, err)
				}
				if resp.StatusCode != http.StatusCreated || resp.Header.Get("X-Execution") != fmt.Sprint(i+1) || resp.ContentLength != int64(len(reply)) {
					t.Fatalf("send %d: %d %v length %d", i, resp.StatusCode, resp.Header, resp.ContentLength)
				}
				if !strings.HasPrefix(reply, body) || len(body) == len(reply) {
					t.Fatalf("send %d: body %q", i, body)
				}
				if body == "" {
					afterHeaders++
				} else {
					inBody++
				}
			}
			if afterHeaders == 0 || inBody == 0 {
				t.Errorf("%d cuts after the headers, %d in the body: want both", afterHeaders, inBody)
			}
			if len(bank.executed()) != sends {
				t.Errorf("executed %d times, want %d", len(bank.executed()), sends)
			}
		})
	}
}

// A reply must never look whole, whatever its form.
func TestCutReplyNeverLooksWhole(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"empty":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) },
		"silent":       func(http.ResponseWriter, *http.Request) {},
		"length zero":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") },
		"no content":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"one byte":     func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "1") },
		"over MaxBody": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat(reply, 10)) },
		"with trailers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Sum")
			_, _ = io.WriteString(w, reply)
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, reply)
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, reply)
		},
	} {
		for _, protocol := range protocols {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				w := newWire(t, protocol, newNetwork(t, h, faults.Config{Faults: []faults.Fault{faults.CutReply(1)}, MaxBody: 64}))
				for i := range 6 {
					if resp, body, err := w.post(t.Context(), "/", fmt.Sprint(i), "x"); err == nil {
						t.Fatalf("the client took %v %q for the whole reply", resp, body)
					}
				}
				if resp, err := w.client.Head(w.URL); err == nil {
					t.Errorf("HEAD: the client took %v for the whole reply", resp)
				}
			})
		}
	}
}
