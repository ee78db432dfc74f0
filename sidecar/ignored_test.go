package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
)

// bodyless is an upstream that does not look at bodies, and takes what comes on a kept connection for requests. It tells which.
func bodyless(t *testing.T) (url string, seen chan string) {
	t.Helper()
	seen = make(chan string, 10)
	l := byHand(t, func(_ uint64, conn net.Conn) {
		in := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			seen <- r.Method + " " + r.URL.Path + " by " + r.Header.Get("X-User")
			if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil || r.Close {
				return
			}
		}
	})
	return "http://" + l.Addr().String(), seen
}

// A body that the upstream does not read would be its next request: a stranger's, past the proxy, in any name.
func TestABodyIsNoRequest(t *testing.T) {
	url, seen := bodyless(t)
	del := KeyRequired
	b := start(t, url, func(c *Config) { c.Routes = []Route{{Match: "DELETE /keyed", Key: &del}} })
	smuggled := "POST /transfers HTTP/1.1\r\nHost: x\r\nX-User: bob\r\nContent-Length: 0\r\n\r\n"
	for path, method := range map[string]string{"/get": "GET", "/options": "OPTIONS", "/delete": "DELETE", "/keyed": "DELETE"} {
		if a := b.send(method, path, smuggled, "Idempotency-Key: k", "X-User: mallory"); !a.is(200) {
			t.Errorf("%s: %d %s, %v", path, a.StatusCode, a.problem(), a.err)
		}
		if a := b.send("GET", "/next", ""); !a.is(200) { // on a kept connection there would be something in front of it
			t.Errorf("%s: the next: %d %s, %v", path, a.StatusCode, a.problem(), a.err)
		}
		for _, want := range []string{method + " " + path + " by mallory", "GET /next by "} {
			if got := <-seen; got != want {
				t.Fatalf("%q arrived, want %q", got, want)
			}
		}
	}
}

// The body that a server sends with its reply to a HEAD, against the rules and late, is not the reply to the next request on the connection.
func TestABodyIsNoReply(t *testing.T) {
	const forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
	l := byHand(t, func(_ uint64, conn net.Conn) {
		late, in := "", bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			reply := late + "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nown"
			if late = ""; r.Method == http.MethodHead {
				reply, late = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(forged)), forged
			}
			if _, err := io.WriteString(conn, reply); err != nil || r.Close {
				return
			}
		}
	})
	b := start(t, "http://"+l.Addr().String(), nil)
	if a := b.send("HEAD", "/forged", ""); !a.is(200) {
		t.Fatalf("%d, %v", a.StatusCode, a.err)
	}
	if a := b.post("k", "x"); !a.is(201) || a.body != "own" {
		t.Errorf("alice gets %d %q, %v", a.StatusCode, a.body, a.err)
	}
}
