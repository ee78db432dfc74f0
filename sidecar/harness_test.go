package sidecar

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// bench is a proxy between a client and an upstream, on real connections.
type bench struct {
	t     *testing.T
	proxy *Proxy
	url   string
	store store.Store
}

// start puts a proxy in front of an upstream. change may alter the configuration.
func start(t *testing.T, upstream string, change func(*Config)) *bench {
	t.Helper()
	return startOver(t, memstore.New(memstore.Config{}), upstream, change)
}

func startOver(t *testing.T, s store.Store, upstream string, change func(*Config)) *bench {
	t.Helper()
	cfg := Default()
	cfg.Upstream, cfg.Scope, cfg.Store = upstream, "header:X-User", "memory:"
	if change != nil {
		change(&cfg)
	}
	p, err := New(t.Context(), s, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(p)
	server.Config.Protocols = p.publicServer().Protocols
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return &bench{t: t, proxy: p, url: server.URL, store: s}
}

// answer is a reply, read whole.
type answer struct {
	*http.Response
	body string
	err  error
}

func (a answer) outcome() string    { return a.Header.Get(oncehttp.HeaderOutcome) }
func (a answer) replayed() bool     { return a.Header.Get(oncehttp.HeaderReplayed) == "true" }
func (a answer) problem() string    { return a.body[:min(len(a.body), 300)] }
func (a answer) is(n int) bool      { return a.err == nil && a.StatusCode == n }
func (a answer) says(s string) bool { return strings.Contains(a.body, s) }

// send sends a request; headers are "Name: value".
func (b *bench) send(method, path, body string, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	return read(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, req)
}

func read(client *http.Client, req *http.Request) answer {
	resp, err := client.Do(req)
	if err != nil {
		return answer{Response: &http.Response{Header: http.Header{}}, err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{Response: resp, body: string(text), err: err}
}

// post sends alice's POST under a key.
func (b *bench) post(key, body string) answer {
	b.t.Helper()
	return b.send("POST", "/orders", body, "Idempotency-Key: "+key, "X-User: alice")
}

// expect fails unless the answer has this status and outcome.
func (b *bench) expect(a answer, status int, outcome string) {
	b.t.Helper()
	if !a.is(status) || a.outcome() != outcome {
		b.t.Errorf("%d %q, %v: want %d %q; %s", a.StatusCode, a.outcome(), a.err, status, outcome, a.problem())
	}
}

// counting is an upstream that counts what arrives.
type counting struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
	next http.HandlerFunc
}

// serving starts a service that answers 201 with the number of the request, or what next answers.
func serving(t *testing.T, next http.HandlerFunc) *counting {
	t.Helper()
	c := &counting{next: next}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	c.mu.Lock()
	c.seen = append(c.seen, r)
	n := len(c.seen)
	c.mu.Unlock()
	if c.next != nil {
		c.next(w, r)
		return
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "%d: %s", n, body)
}

func (c *counting) arrived() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*http.Request(nil), c.seen...)
}

// rawUpstream answers each request, however long, with bytes, and closes the connection.
type rawUpstream struct {
	net.Listener
	mu   sync.Mutex
	seen int
}

// raw starts a server that reads one request from each connection and writes what reply returns for the nth; kept connections are served until reply says close.
func raw(t *testing.T, reply func(n int) (bytes string, keep bool)) *rawUpstream {
	t.Helper()
	u := new(rawUpstream)
	u.Listener = byHand(t, func(_ uint64, conn net.Conn) { u.serve(conn, reply) })
	return u
}

// byHand starts a server that is not net/http's: serve gets its nth connection, which is closed when it returns.
func byHand(t *testing.T, serve func(n uint64, conn net.Conn)) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := uint64(0); ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(n, conn)
			}()
		}
	}()
	return l
}

// dial connects to the proxy.
func (b *bench) dial(t *testing.T) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (u *rawUpstream) serve(conn net.Conn, reply func(int) (string, bool)) {
	lines := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(lines)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		u.mu.Lock()
		u.seen++
		n := u.seen
		u.mu.Unlock()
		bytes, keep := reply(n)
		_, _ = io.WriteString(conn, bytes)
		if !keep {
			return
		}
	}
}

func (u *rawUpstream) url() string { return "http://" + u.Addr().String() }

func (u *rawUpstream) arrived() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen
}
