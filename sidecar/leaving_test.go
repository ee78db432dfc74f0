package sidecar

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A client that does not read its reply loses it, and nothing else: the operation ends in its time, and the retry gets what the record has.
func TestASlowClientMakesNoDoubt(t *testing.T) {
	const size = 6 << 20 // more than sockets hold
	for name, c := range map[string]struct {
		upstream http.HandlerFunc
		maxReply Bytes
		want     int
	}{
		"too long to keep": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = w.Write(make([]byte, size))
		}, 1 << 20, 409},
		"too long, in chunks": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) }, 1 << 20, 409},
		"a stream": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range size >> 16 {
				_, _ = w.Write(make([]byte, 1<<16))
				w.(http.Flusher).Flush()
			}
		}, 64 << 20, 200},
		"with trailers": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			_, _ = w.Write(make([]byte, size))
			w.Header().Set("X-Sum", "1")
		}, 64 << 20, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan struct{}, 2)
			up := serving(t, func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				c.upstream(w, r)
			})
			b := start(t, up.URL, func(cfg *Config) { cfg.MaxReply, cfg.Timeout, cfg.Wait = c.maxReply, 3*time.Second, 10*time.Second })
			conn := b.dial(t)
			defer conn.Close() // after the retry
			_ = conn.(*net.TCPConn).SetReadBuffer(4096)
			if _, err := io.WriteString(conn, "POST /orders HTTP/1.1\r\nHost: "+conn.RemoteAddr().String()+"\r\nX-User: alice\r\nIdempotency-Key: k\r\nContent-Length: 1\r\n\r\nx"); err != nil {
				t.Fatal(err)
			}
			<-arrived
			a := b.post("k", "x")
			if !a.is(c.want) || a.says("outcome-unknown") || a.says("in-progress") {
				t.Errorf("the retry: %d %s, %v", a.StatusCode, a.problem(), a.err)
			}
			if c.want == 200 && (!a.replayed() || len(a.body) != size) {
				t.Errorf("the retry: %d bytes, replayed %v", len(a.body), a.replayed())
			}
			if n := len(up.arrived()); n != 1 {
				t.Errorf("%d arrived", n)
			}
		})
	}
}
