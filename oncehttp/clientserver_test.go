package oncehttp

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward/retry"
)

// tinyServer is the smallest correct deduplication: it runs a key once and saves the reply before it sends it. A test's lose may
// then keep the reply from arriving.
type tinyServer struct {
	*httptest.Server

	mu      sync.Mutex
	saved   map[string][]byte
	effects int
	calls   []http.Header
	bodies  []string
	lose    func(call int, w http.ResponseWriter) bool // call counts from 1; true: it has dealt with the reply
}

func startTiny(t *testing.T, lose func(int, http.ResponseWriter) bool) *tinyServer {
	s := &tinyServer{saved: map[string][]byte{}, lose: lose}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *tinyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.calls = append(s.calls, r.Header.Clone())
	s.bodies = append(s.bodies, string(body))
	call := len(s.calls)
	key := r.Header.Get(HeaderKey)
	reply, known := s.saved[key]
	if !known {
		s.effects++
		reply = []byte("done: " + string(body))
		s.saved[key] = reply
	}
	s.mu.Unlock()
	if s.lose != nil && s.lose(call, w) {
		return
	}
	w.Header().Set(HeaderWindow, "86400")
	w.Header().Set(HeaderOutcome, OutcomeSaved)
	if known {
		w.Header().Set(HeaderReplayed, "true")
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(reply)
}

// seen is a copy of what the server knows so far.
func (s *tinyServer) seen() (effects, keys int, calls []http.Header, bodies []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.effects, len(s.saved), append([]http.Header(nil), s.calls...), append([]string(nil), s.bodies...)
}

func (s *tinyServer) ran() int              { effects, _, _, _ := s.seen(); return effects }
func (s *tinyServer) keys() int             { _, keys, _, _ := s.seen(); return keys }
func (s *tinyServer) called() []http.Header { _, _, calls, _ := s.seen(); return calls }
func (s *tinyServer) got() []string         { _, _, _, bodies := s.seen(); return bodies }

// breakOff sends text as it is and closes the connection.
func breakOff(w http.ResponseWriter, text string) bool {
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = buffered.WriteString(text)
	_ = buffered.Flush()
	_ = conn.Close()
	return true
}

// problemReply answers with a problem of the protocol, as any server may write it.
func problemReply(w http.ResponseWriter, status int, name string, safeNewKey bool) bool {
	w.Header().Set("Content-Type", ProblemType+"; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(Problem{Type: ProblemBase + name, Status: status, SafeNewKey: safeNewKey})
	return true
}

// quick is a policy whose waits a test can afford.
var quick = retry.Policy{AttemptTimeout: 2 * time.Second, Base: time.Millisecond, OverloadBase: time.Millisecond, PollInterval: time.Millisecond}

func newTestClient(t *testing.T, c ClientConfig) *Client {
	t.Helper()
	if c.Policy == (retry.Policy{}) {
		c.Policy = quick
	}
	client, err := NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func post(t *testing.T, url, body string) *http.Request {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = io.NopCloser(&readOnce{text: body}) // unknown length, no GetBody: the hardest kind
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// readOnce is a body that can be read only once.
type readOnce struct{ text string }

func (r *readOnce) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// waits records the pauses of a client instead of making them.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) clock() retry.Clock {
	return retry.Clock{Sleep: func(ctx context.Context, d time.Duration) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all = append(w.all, d)
		return ctx.Err()
	}}
}

// rawServer answers on bare connections; serve gets each request of each connection, and says whether the connection goes on.
func rawServer(t *testing.T, serve func(conn net.Conn, r *http.Request, nth int) bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			all.Go(func() {
				defer conn.Close()
				br := bufio.NewReader(conn)
				for nth := 1; ; nth++ {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if !serve(conn, r, nth) {
						return
					}
				}
			})
		}
	})
	return "http://" + l.Addr().String()
}
