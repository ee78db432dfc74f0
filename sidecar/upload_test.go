package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hasty is an upstream that answers when it has seen a request's head, and reads on. It tells what it has been asked for.
func hasty(t *testing.T, reply string) (url string, seen chan string) {
	t.Helper()
	seen = make(chan string, 10)
	l := byHand(t, func(_ uint64, conn net.Conn) {
		in := bufio.NewReader(conn)
		if r, err := http.ReadRequest(in); err == nil {
			seen <- r.Method + " " + r.URL.Path
			_, _ = io.WriteString(conn, reply)
			_, _ = io.Copy(io.Discard, in)
		}
	})
	return "http://" + l.Addr().String(), seen
}

// What is left of a body when the upstream has answered is not the connection's next request. Behind a gateway it would have any caller's name.
func TestTheRestOfABodyIsNoRequest(t *testing.T) {
	next := "POST /transfers HTTP/1.1\r\nHost: x\r\nX-User: bob\r\nIdempotency-Key: k\r\nContent-Length: 0\r\n\r\n"
	for name, reply := range map[string]string{
		"short": "HTTP/1.1 401 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno", "chunks": "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
	} {
		url, seen := hasty(t, reply)
		b := start(t, url, nil)
		for kind, begun := range map[string]string{"length": "Content-Length: 1000\r\n\r\nhello", "chunks": "Transfer-Encoding: chunked\r\n\r\n1000\r\nhello", "broken": "Transfer-Encoding: chunked\r\n\r\nno number\r\n"} {
			conn := b.dial(t)
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprint(conn, "PUT /upload HTTP/1.1\r\nHost: x\r\n"+begun)
			in := bufio.NewReader(conn)
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, kind, err)
			}
			if text, err := io.ReadAll(resp.Body); err != nil || !resp.Close || kind != "broken" && string(text) != "no" {
				t.Fatalf("%s, %s: %d %q, closes %v, %v", name, kind, resp.StatusCode, text, resp.Close, err)
			}
			fmt.Fprint(conn, next)
			_ = conn.(*net.TCPConn).CloseWrite()
			if more, _ := in.Peek(1); len(more) > 0 {
				line, _ := in.ReadString('\n')
				t.Fatalf("%s, %s: the rest is answered: %q", name, kind, line)
			}
			conn.Close()
		}
		for range len(seen) {
			if got := <-seen; got != "PUT /upload" {
				t.Errorf("%s: %s arrived", name, got)
			}
		}
	}
}

// A body that has been read leaves the connection as it is.
func TestAnUploadKeepsItsConnection(t *testing.T) {
	b := start(t, serving(t, nil).URL, nil)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for i, length := range []int64{5, -1, 5, -1} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, b.url, io.NopCloser(strings.NewReader("hello")))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		if a := read(client, r); !a.is(201) || a.Close {
			t.Errorf("%d: %d, closes %v, %v", i, a.StatusCode, a.Close, a.err)
		}
	}
}
