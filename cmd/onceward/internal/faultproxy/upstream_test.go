package faultproxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// notes may be read while the proxy writes.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// run starts a proxy on a free port; end stops it and returns what Run did.
func run(t *testing.T, cfg Config, log io.Writer) (p *Proxy, end func() error) {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, log) }()
	end = sync.OnceValue(func() error {
		stop()
		return <-ended
	})
	t.Cleanup(func() { _ = end() })
	return p, end
}

// get sends the bytes of one request on a connection of its own and returns the reply.
func get(t *testing.T, p *Proxy, request string) (*http.Response, string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// A cable changes nothing: what the client sent is what the upstream gets.
func TestPassesOnWhatTheClientSent(t *testing.T) {
	var got *http.Request
	var body string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r.Clone(context.Background()), string(b)
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "reply")
	}))
	defer upstream.Close()
	for _, keep := range []bool{false, true} {
		p, _ := run(t, Config{Upstream: upstream.URL + "/base", KeepHost: keep}, io.Discard)
		resp, reply := get(t, p, "POST /a%2Fb?x=1;y=%zz HTTP/1.1\nHost: bank.example\nIdempotency-Key: k\nX-Forwarded-For: 192.0.2.7\nForwarded: for=192.0.2.7\nX-Two: 1\nX-Two: 2\nContent-Length: 4\n\nbody")
		if resp.StatusCode != http.StatusCreated || reply != "reply" || fmt.Sprint(resp.Header["X-Two"]) != "[1 2]" {
			t.Errorf("the client got %d %v %q", resp.StatusCode, resp.Header, reply)
		}
		host := map[bool]string{false: strings.TrimPrefix(upstream.URL, "http://"), true: "bank.example"}[keep]
		if got.Host != host || got.RequestURI != "/base/a%2Fb?x=1;y=%zz" || body != "body" || got.ContentLength != 4 {
			t.Errorf("the upstream got %s %s of length %d, body %q; want host %s", got.Host, got.RequestURI, got.ContentLength, body, host)
		}
		for name, want := range map[string]string{
			"X-Forwarded-For": "[192.0.2.7]", "Forwarded": "[for=192.0.2.7]", "X-Two": "[1 2]", "Idempotency-Key": "[k]",
			"X-Forwarded-Host": "[]", "User-Agent": "[]", "Accept-Encoding": "[]",
		} {
			if have := fmt.Sprint(got.Header[name]); have != want {
				t.Errorf("%s is %s, want %s", name, have, want)
			}
		}
	}
}

// An empty body stays one: a length of 0 and no chunks for the methods that have bodies, nothing for the others.
func TestEmptyBodiesAreNotSentInChunks(t *testing.T) {
	requests := make(chan string, 1)
	upstream := raw(t, func(conn net.Conn) {
		defer conn.Close()
		var head []string
		for lines := bufio.NewScanner(conn); lines.Scan() && lines.Text() != ""; {
			head = append(head, strings.ToLower(lines.Text()))
		}
		requests <- strings.Join(head, "\n")
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	p, _ := run(t, Config{Upstream: upstream}, io.Discard)
	for method, length := range map[string]int{"POST": 1, "PUT": 1, "PATCH": 1, "GET": 0, "DELETE": 0} {
		header := ""
		if length == 1 {
			header = "Content-Length: 0\n"
		}
		resp, _ := get(t, p, method+" / HTTP/1.1\nHost: h\nIdempotency-Key: k\n"+header+"\n")
		got := <-requests
		if resp.StatusCode != http.StatusNoContent || strings.Contains(got, "transfer-encoding") || strings.Count(got, "content-length: 0") != length {
			t.Errorf("%s: %d; the upstream got\n%s", method, resp.StatusCode, got)
		}
	}
}

// raw is an upstream of which nothing is HTTP but what serve does.
func raw(t *testing.T, serve func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return "http://" + l.Addr().String()
}

// A connection that dies when its second request arrives: net/http alone would send that again, keyed and without a body, as a
// duplicate that no log shows.
func TestNothingIsSentAgain(t *testing.T) {
	for _, body := range []string{"", "body"} {
		var executed atomic.Int64
		upstream := raw(t, func(conn net.Conn) {
			defer conn.Close()
			in := bufio.NewReader(conn)
			for n := range 2 {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				executed.Add(1)
				if n == 1 {
					return // executed, and the connection dies before the first byte
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			}
		})
		var said notes
		p, end := run(t, Config{Upstream: upstream, Notes: &said}, io.Discard)
		const requests = 20
		statuses := map[int]int{}
		for i := range requests {
			resp, _ := get(t, p, fmt.Sprintf("POST / HTTP/1.1\nHost: h\nIdempotency-Key: %d\nContent-Length: %d\n\n%s", i, len(body), body))
			statuses[resp.StatusCode]++
		}
		if executed.Load() != requests {
			t.Errorf("body %q: %d requests were executed %d times", body, requests, executed.Load())
		}
		if statuses[http.StatusBadGateway] == 0 || statuses[http.StatusBadGateway]+statuses[http.StatusNoContent] != requests {
			t.Errorf("body %q: statuses %v", body, statuses)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
		want := fmt.Sprintf("%d unanswered by the upstream (502)", statuses[http.StatusBadGateway])
		if text := said.String(); !strings.Contains(text, want) || strings.Count(text, "did not answer") != 1 {
			t.Errorf("body %q: the notes do not say %q, or say it more than once:\n%s", body, want, text)
		}
	}
}

func TestMoreExchangesThanAllowedAreRefused(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	defer upstream.Close()
	p, end := run(t, Config{Upstream: upstream.URL, MaxExchanges: 1}, io.Discard)
	const request = "GET / HTTP/1.1\nHost: h\n\n"
	first := make(chan int, 1)
	go func() {
		resp, err := http.Get(p.URL()) // ends with the upstream
		if err != nil {
			first <- 0
			return
		}
		resp.Body.Close()
		first <- resp.StatusCode
	}()
	<-arrived
	resp, _ := get(t, p, request)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the second: %d %v", resp.StatusCode, resp.Header)
	}
	close(release)
	if status := <-first; status != http.StatusOK {
		t.Errorf("the first: %d", status)
	}
	go func() { <-arrived }()
	if resp, _ := get(t, p, request); resp.StatusCode != http.StatusOK {
		t.Errorf("after the first had ended: %d", resp.StatusCode)
	}
	if err := end(); err != nil || !strings.Contains(p.Summary(), "1 refused over --max-exchanges (503)") {
		t.Errorf("%v, %s", err, p.Summary())
	}
}

// A log that cannot be written ends the run: it would say less than the truth.
func TestABrokenLogEndsTheRun(t *testing.T) {
	upstream := httptest.NewServer(http.NotFoundHandler())
	defer upstream.Close()
	full := errors.New("disk full")
	p, err := New(Config{Upstream: upstream.URL, Listen: "127.0.0.1:0", LoseReply: 1})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context(), failing{full}) }()
	resp, err := http.Get(p.URL()) // the reply is lost at once
	if err == nil {
		resp.Body.Close()
		t.Error("the reply was not lost")
	}
	if err := <-ended; !errors.Is(err, full) || !strings.Contains(err.Error(), "--log") {
		t.Errorf("Run returned %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
