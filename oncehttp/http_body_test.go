package oncehttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// brokenOff is a body whose reader wraps the error at its end, as some do when a stream is cut.
type brokenOff struct{ io.Reader }

func (b brokenOff) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the stream broke off: %w", err)
	}
	return n, err
}

func (brokenOff) Close() error { return nil }

// received serves requests through a guard and says how many bytes the handler got; -1: it did not run.
func received(t *testing.T, cfg oncehttp.Config) func(key string, announced int64, body io.Reader) (status int, got int64) {
	t.Helper()
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = guard.Close(context.Background()) })
	once, err := oncehttp.Middleware(guard, byUser, cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := int64(-1)
	h := once(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, _ = io.Copy(io.Discard, r.Body) }))
	return func(key string, announced int64, body io.Reader) (int, int64) {
		got = -1
		req := httptest.NewRequest("POST", "/", nil)
		req.Body, req.ContentLength = io.NopCloser(body), announced
		req.Header.Set("X-User", "a")
		req.Header.Set(oncehttp.HeaderKey, key)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		return rec.Code, got
	}
}

func TestHTTPABodyThatBrokeOffIsNotWhole(t *testing.T) {
	if status, got := received(t, oncehttp.Config{})("k", 14, brokenOff{strings.NewReader("amount=10")}); got != -1 || status != 400 {
		t.Errorf("status %d, the handler got %d bytes of 14", status, got)
	}
}

// The limit holds whatever length is announced, and whatever memory an earlier request has left.
func TestHTTPMaxBodyHoldsWhateverIsAnnounced(t *testing.T) {
	large, small := received(t, oncehttp.Config{}), received(t, oncehttp.Config{MaxBody: 100})
	for range 2 { // the second is a replay, whose memory is used again
		large("warm", 60_000, bytes.NewReader(make([]byte, 60_000)))
	}
	for i, c := range []struct {
		announced, sent int64
		fits            bool
	}{{100, 100, true}, {50, 100, true}, {1, 100, true}, {100, 101, false}, {50, 101, false}, {1, 50_000, false}, {-1, 100, true}, {-1, 101, false}} {
		body := strings.Repeat("x", int(c.sent))
		for how, r := range map[string]io.Reader{"alone": strings.NewReader(body), "with-the-last-bytes": iotest.DataErrReader(strings.NewReader(body))} {
			status, got := small(fmt.Sprint(i, how), c.announced, r)
			if c.fits && got != c.sent || !c.fits && (got != -1 || status != 413) {
				t.Errorf("%d bytes, %d announced, the end comes %s: status %d, the handler got %d", c.sent, c.announced, how, status, got)
			}
		}
	}
}

func TestClientAReplyThatBrokeOffIsNotWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := oncehttp.NewClient(oncehttp.ClientConfig{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: 200, Header: http.Header{oncehttp.HeaderOutcome: {"saved"}}, ContentLength: 100,
				Body: brokenOff{strings.NewReader("half a rep")}, Request: r,
			}, nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequest("POST", "http://x/", strings.NewReader("b"))
		if resp, err := client.Do(req); err == nil {
			body, _ := io.ReadAll(resp.Body)
			t.Errorf("a reply that broke off is an answer: %q", body)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// writeCounter counts the writes to a connection.
type writeCounter struct {
	net.Conn
	n *atomic.Int64
}

func (c writeCounter) Write(p []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(p)
}

// net/http sends head and body of a request in one packet only if it knows the type of the body.
func TestClientASmallRequestIsOneWrite(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	var writes atomic.Int64
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return writeCounter{conn, &writes}, err
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	req, _ := http.NewRequest("POST", server.URL, strings.NewReader("hello"))
	if _, err := client.Do(req); err != nil {
		t.Fatal(err)
	}
	if n := writes.Load(); n != 1 {
		t.Errorf("%d writes for one small request", n)
	}
}
