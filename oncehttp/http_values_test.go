package oncehttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// Attempts share a header's values; what a transport adds to its own copy of the header must not reach another attempt.
func TestClientWhatATransportAddsIsItsOwn(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *oncehttp.Client, *http.Request) *oncehttp.Operation{
		"two spellings": func(t *testing.T, c *oncehttp.Client, req *http.Request) *oncehttp.Operation {
			req.Header["X-Tag"], req.Header["x-tag"] = []string{"a", "b"}, []string{"c"}
			op, err := c.Prepare(req)
			if err != nil {
				t.Fatal(err)
			}
			return op
		},
		"read back": func(t *testing.T, c *oncehttp.Client, req *http.Request) *oncehttp.Operation {
			req.Header["X-Tag"] = []string{"a", "b", "c"}
			op, err := c.Prepare(req)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(op)
			again := new(oncehttp.Operation)
			if err != nil || json.Unmarshal(text, again) != nil {
				t.Fatal("it cannot be saved")
			}
			return again
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var attempts atomic.Int64
			client, err := oncehttp.NewClient(oncehttp.ClientConfig{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				own := maps.Clone(r.Header)
				mine := fmt.Sprint("attempt ", attempts.Add(1))
				own.Add("X-Tag", mine)
				time.Sleep(time.Millisecond)
				if sent := own["X-Tag"]; sent[len(sent)-1] != mine {
					t.Errorf("%s: %s goes out as %s", name, mine, sent[len(sent)-1])
				}
				return &http.Response{StatusCode: 200, Header: http.Header{oncehttp.HeaderOutcome: {"saved"}}, Body: http.NoBody, Request: r}, nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			req, _ := http.NewRequest("POST", "http://x/", strings.NewReader("b"))
			op := prepare(t, client, req)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() { _, _ = client.Send(context.Background(), op) })
			}
			all.Wait()
		})
	}
}

// cleaning is outer middleware that writes to the values it finds in a header.
type cleaning struct{ http.ResponseWriter }

func (c cleaning) WriteHeader(status int) {
	for _, values := range c.Header() {
		for i, v := range values {
			values[i] = strings.ToUpper(v)
		}
	}
	c.ResponseWriter.WriteHeader(status)
}

// No reply has a header value in common with another: outer middleware may write to them.
func TestHTTPHeaderValuesAreTheRequestsOwn(t *testing.T) {
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close(context.Background())
	once, err := oncehttp.Middleware(guard, byUser, oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := once(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }))
	send := func(key string, wrap func(http.ResponseWriter) http.ResponseWriter) http.Header {
		rec := httptest.NewRecorder()
		req := httptest.NewRequest("POST", "/", nil)
		req.Header.Set("X-User", "a")
		req.Header.Set(oncehttp.HeaderKey, key)
		h.ServeHTTP(wrap(rec), req)
		return rec.Result().Header
	}
	asIs := func(w http.ResponseWriter) http.ResponseWriter { return w }
	shouting := func(w http.ResponseWriter) http.ResponseWriter { return cleaning{w} }
	for _, key := range []string{"first", "second"} {
		for range 2 { // new, then replayed
			if got := send(key, shouting).Get(oncehttp.HeaderOutcome); got != "SAVED" {
				t.Fatalf("outer middleware had no effect: %q", got)
			}
		}
		got := send(key, asIs)
		if got.Get(oncehttp.HeaderOutcome) != "saved" || got.Get(oncehttp.HeaderReplayed) != "true" || got.Get(oncehttp.HeaderWindow) != "86400" {
			t.Errorf("a later reply has %v", got)
		}
	}
}
