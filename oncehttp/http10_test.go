package oncehttp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// A client of HTTP/1.0 does not make the server hold a reply of any length: with a length it goes out as it comes, and without one, where a cut would look
// like the end, nobody gets it.
func TestHTTP10HoldsNoLongReply(t *testing.T) {
	const size, chunk = 16 << 20, 64 << 10
	g, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{MaxReply: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	mw, err := oncehttp.Middleware(g, oncehttp.Principal("orders", func(*http.Request) (string, error) { return "alice", nil }), oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, chunk)
	s := httptest.NewServer(mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		for range size / chunk {
			_, _ = w.Write(part)
		}
	})))
	t.Cleanup(s.Close)
	ask := func(path string) (status int, length int64, head string) {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.0\r\nHost: x\r\nIdempotency-Key: %s\r\nContent-Length: 1\r\n\r\nx", path, path[1:])
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		var begin strings.Builder
		n, err := io.CopyN(&begin, resp.Body, 300)
		rest, err2 := io.Copy(io.Discard, resp.Body)
		if err != nil && !errors.Is(err, io.EOF) || err2 != nil {
			t.Errorf("%s: %v %v", path, err, err2)
		}
		return resp.StatusCode, n + rest, begin.String()
	}
	for path, want := range map[string]int{"/length": 200, "/none": 409} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		status, length, head := ask(path)
		runtime.ReadMemStats(&after)
		if status != want || want == 200 && length != size || want == 409 && !strings.Contains(head, "reply-not-kept") {
			t.Errorf("%s: %d, %d bytes", path, status, length)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > size/2 {
			t.Errorf("%s: %d MiB of memory for a reply of %d MiB", path, took>>20, size>>20)
		}
		if status, _, head := ask(path); status != 409 || !strings.Contains(head, "reply-not-kept") {
			t.Errorf("%s, the retry: %d %q", path, status, head)
		}
	}
}

// A saved reply goes to a client of HTTP/1.0 with its length, the first time and in a replay: where the connection breaks off, a part of it must not look whole.
func TestHTTP10SavedRepliesHaveALength(t *testing.T) {
	const size = 64 << 10 // more than net/http finds the length of by itself
	g, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	mw, err := oncehttp.Middleware(g, oncehttp.Principal("orders", func(*http.Request) (string, error) { return "alice", nil }), oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(mw(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 2 {
			_, _ = w.Write(make([]byte, size/2))
		}
	})))
	t.Cleanup(s.Close)
	for _, replayed := range []string{"", "true"} {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST / HTTP/1.0\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: 1\r\n\r\nx")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if resp.ContentLength != size || n != size || err != nil || resp.Header.Get(oncehttp.HeaderReplayed) != replayed {
			t.Errorf("replayed %q: Content-Length %d, %d bytes, %v; want %d and replayed %q", resp.Header.Get(oncehttp.HeaderReplayed), resp.ContentLength, n, err, size, replayed)
		}
	}
}
