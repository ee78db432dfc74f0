package oncehttp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
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
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// byUser is the scope of the tests: authentication is somebody else's, who leaves the user's name in a header.
var byUser = oncehttp.Principal("orders", func(r *http.Request) (string, error) { return r.Header.Get("X-User"), nil })

// served is a guarded handler on a real socket.
type served struct {
	*httptest.Server
	t     *testing.T
	guard *onceward.Guard
	runs  atomic.Int64
}

func serve(t *testing.T, gcfg onceward.Config, cfg oncehttp.Config, h http.HandlerFunc) *served {
	t.Helper()
	guard, err := onceward.New(memstore.New(memstore.Config{}), gcfg)
	if err != nil {
		t.Fatal(err)
	}
	once, err := oncehttp.Middleware(guard, byUser, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, guard: guard}
	s.Server = httptest.NewServer(once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.runs.Add(1)
		h(w, r)
	})))
	t.Cleanup(func() {
		s.Close()
		if err := guard.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// request makes a keyed POST; change may be nil.
func (s *served) request(key, body string, change func(*http.Request)) *http.Request {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+"/orders?x=1", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-User", "alice")
	if key != "" {
		req.Header.Set(oncehttp.HeaderKey, key)
	}
	if change != nil {
		change(req)
	}
	return req
}

// answer is a reply read to its end.
type answer struct {
	*http.Response
	body string
}

func (s *served) send(req *http.Request) answer {
	s.t.Helper()
	resp, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp, string(body)}
}

func (s *served) post(key, body string) answer {
	s.t.Helper()
	return s.send(s.request(key, body, nil))
}

func (a answer) problem(t *testing.T) oncehttp.Problem {
	t.Helper()
	var p oncehttp.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.Header.Get("Content-Type") != oncehttp.ProblemType {
		t.Fatalf("not a problem: %d %q", a.StatusCode, a.body)
	}
	return p
}

func wantProblem(t *testing.T, a answer, status int, name string, safe bool) {
	t.Helper()
	p := a.problem(t)
	if a.StatusCode != status || p.Status != status || p.Type != oncehttp.ProblemBase+name || p.SafeNewKey != safe {
		t.Errorf("got %d %+v; want %d %s safe_new_key=%v", a.StatusCode, p, status, name, safe)
	}
	if a.Header.Get(oncehttp.HeaderWindow) != "86400" {
		t.Errorf("%s: window %q", name, a.Header.Get(oncehttp.HeaderWindow))
	}
}

func created(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Location", "/orders/1")
	w.Header().Add("Link", "<a>")
	w.Header().Add("Link", "<b>")
	w.Header().Set("Set-Cookie", "session=secret")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "created %s", body)
}

func TestMiddlewareReplays(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, created)
	first := s.post("k1", `{"a":1}`)
	again := s.post(`"k1"`, `{"a":1}`) // the draft's quoted form is the same key
	if first.StatusCode != 201 || first.body != `created {"a":1}` || first.Header.Get("Set-Cookie") == "" ||
		first.Header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeSaved || first.Header.Get(oncehttp.HeaderReplayed) != "" {
		t.Errorf("first: %d %q %v", first.StatusCode, first.body, first.Header)
	}
	if again.StatusCode != 201 || again.body != first.body || again.Header.Get(oncehttp.HeaderReplayed) != "true" ||
		again.Header.Get("Location") != "/orders/1" || strings.Join(again.Header.Values("Link"), ",") != "<a>,<b>" {
		t.Errorf("again: %d %q %v", again.StatusCode, again.body, again.Header)
	}
	if again.Header.Get("Set-Cookie") != "" {
		t.Error("a session was replayed")
	}
	if again.Header.Get("Content-Type") != first.Header.Get("Content-Type") || again.Header.Get(oncehttp.HeaderWindow) != "86400" {
		t.Errorf("headers %v", again.Header)
	}
	if s.runs.Load() != 1 {
		t.Errorf("%d runs", s.runs.Load())
	}
}

func TestMiddlewareRefusals(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{MaxBody: 1000}, created)
	s.post("taken", `{"a":1,"b":2}`)
	stamped := func(at time.Time) string {
		key, err := onceward.TypeID{Clock: func() time.Time { return at }}.Mint()
		if err != nil {
			t.Fatal(err)
		}
		return key.Text()
	}
	fresh := stamped(time.Now())
	before := s.runs.Load()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	cases := []struct {
		name   string
		req    *http.Request
		status int
		kind   string
		safe   bool
	}{
		{"no key", s.request("", "x", nil), 400, "key-missing", false},
		{"long key", s.request(strings.Repeat("k", 256), "x", nil), 400, "key-invalid", false},
		{"joined keys", s.request("a,b", "x", nil), 400, "key-invalid", false},
		{"space in key", s.request("a b", "x", nil), 400, "key-invalid", false},
		{"two keys", s.request("a", "x", func(r *http.Request) { r.Header.Add(oncehttp.HeaderKey, "b") }), 400, "key-invalid", false},
		{"no principal", s.request("k", "x", header("X-User", "")), 403, "scope-missing", false},
		{"large body", s.request("k", strings.Repeat("x", 1001), nil), 413, "body-too-large", false},
		{"large body of unknown length", s.request("k", "", func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", 1001))), -1
		}), 413, "body-too-large", false},
		{"other body", s.request("taken", `{"a":2}`, nil), 422, "key-reused", false},
		{"other query", s.request("taken", `{"a":1,"b":2}`, func(r *http.Request) { r.URL.RawQuery = "x=2" }), 422, "key-reused", false},
		{"other path", s.request("taken", `{"a":1,"b":2}`, func(r *http.Request) { r.URL.Path = "/other" }), 422, "key-reused", false},
		{"other method", s.request("taken", `{"a":1,"b":2}`, func(r *http.Request) { r.Method = "PATCH" }), 422, "key-reused", false},
		{"other host", s.request("taken", `{"a":1,"b":2}`, func(r *http.Request) { r.Host = "other" }), 422, "key-reused", false},
		{"other type", s.request("taken", `{"a":1,"b":2}`, header("Content-Type", "text/plain")), 422, "key-reused", false},
		{"old key", s.request(stamped(time.Now().Add(-25*time.Hour)), "x", nil), 410, "key-expired", false},
		{"future key", s.request(stamped(time.Now().Add(time.Hour)), "x", nil), 400, "key-from-the-future", false},
		{"long horizon, stamped", s.request(fresh, "x", header(oncehttp.HeaderHorizon, "90000")), 400, "horizon-too-long", false},
		{"long horizon, unstamped", s.request("u", "x", header(oncehttp.HeaderHorizon, "90000")), 400, "horizon-too-long", false},
		{"endless horizon", s.request("e", "x", header(oncehttp.HeaderHorizon, "99999999999999999999")), 400, "horizon-too-long", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wantProblem(t, s.send(c.req), c.status, c.kind, c.safe)
		})
	}
	if got := s.runs.Load(); got != before {
		t.Errorf("%d refused requests were executed", got-before)
	}
	reordered := s.post("taken", `{"b":2,"a":1}`).problem(t)
	if !strings.Contains(reordered.Detail, "another order") {
		t.Errorf("no hint at the order of members: %+v", reordered)
	}
	if got := s.post("k", "x"); got.StatusCode != 201 {
		t.Errorf("a key was claimed by a refused request: %d", got.StatusCode)
	}
}

func TestMiddlewareStatuses(t *testing.T) {
	for status, runs := range map[int]int64{200: 1, 204: 1, 303: 1, 400: 1, 404: 1, 422: 1, 500: 1, 501: 1, 401: 2, 407: 2, 425: 2, 429: 2} {
		s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		for range 2 {
			if got := s.post("k", "x"); got.StatusCode != status {
				t.Errorf("%d became %d", status, got.StatusCode)
			}
		}
		if s.runs.Load() != runs {
			t.Errorf("%d: %d runs, want %d", status, s.runs.Load(), runs)
		}
	}
	for _, status := range []int{408, 502, 503, 504} {
		s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if got := s.post("k", "x"); got.StatusCode != status || got.Header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeDoubted {
			t.Errorf("%d became %d %v", status, got.StatusCode, got.Header)
		}
		wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
	}
	free := serve(t, onceward.Config{}, oncehttp.Config{Statuses: map[int]onceward.Ending{503: onceward.EndFree}},
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	free.post("k", "x")
	free.post("k", "x")
	if free.runs.Load() != 2 {
		t.Error("the route's own word does not count")
	}
}

func TestMiddlewareNoEffect(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		if err := onceward.NoEffect(r.Context()); err != nil {
			t.Error(err)
		}
		w.WriteHeader(503)
	})
	s.post("k", "x")
	if got := s.post("k", "x"); got.Header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeFreed || s.runs.Load() != 2 {
		t.Errorf("%v after %d runs", got.Header, s.runs.Load())
	}
}

func TestMiddlewareOptionalKeysAndOtherMethodsPassUntouched(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{KeyOptional: true}, func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Hijacker); !ok {
			t.Error("the writer is not the server's own")
		}
		_, _ = io.Copy(w, r.Body)
	})
	for range 2 {
		if a := s.post("", "x"); a.body != "x" || a.Header.Get(oncehttp.HeaderWindow) != "" {
			t.Errorf("got %q %v", a.body, a.Header)
		}
		s.send(s.request("k", "", func(r *http.Request) { r.Method = http.MethodGet }))
	}
	if s.runs.Load() != 4 {
		t.Errorf("%d runs", s.runs.Load())
	}
}

func TestMiddlewareKeyInBody(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{KeyField: "request_id"}, created)
	s.post("", `{"request_id":"k","a":1}`)
	if a := s.post("", `{"request_id":"k","a":1}`); a.Header.Get(oncehttp.HeaderReplayed) != "true" || s.runs.Load() != 1 {
		t.Errorf("%v after %d runs", a.Header, s.runs.Load())
	}
	wantProblem(t, s.post("", `{"request_id":"k","request_id":"j"}`), 400, "key-invalid", false)
	wantProblem(t, s.post("", `{"a":1}`), 400, "key-missing", false)
	wantProblem(t, s.post("", `[1]`), 400, "key-missing", false)
}

func TestMiddlewareStreamsAndReplaysTheWhole(t *testing.T) {
	gate := make(chan struct{})
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, "one ")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-gate
		fmt.Fprint(w, "two")
		w.Header().Set("X-Sum", "12")
	})
	resp, err := s.Client().Do(s.request("k", "x", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(resp.Body, head); err != nil || string(head) != "one " {
		t.Fatalf("nothing came while the handler ran: %q %v", head, err)
	}
	close(gate)
	rest, err := io.ReadAll(resp.Body)
	if err != nil || string(rest) != "two" || resp.Trailer.Get("X-Sum") != "12" {
		t.Errorf("rest %q, trailer %v, %v", rest, resp.Trailer, err)
	}
	if a := s.post("k", "x"); a.body != "one two" || a.Trailer.Get("X-Sum") != "12" {
		t.Errorf("replay %q, trailer %v", a.body, a.Trailer)
	}
}

func TestMiddlewareTheEndOfAStreamWaitsForTheSave(t *testing.T) {
	for _, declared := range []bool{true, false} {
		store := &savesNothing{Store: memstore.New(memstore.Config{})}
		guard, err := onceward.New(store, onceward.Config{SaveLimit: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		once, err := oncehttp.Middleware(guard, byUser, oncehttp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		s := &served{t: t, Server: httptest.NewServer(once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if declared {
				w.Header().Set("Content-Length", "8")
			}
			fmt.Fprint(w, "complete")
			w.(http.Flusher).Flush()
		})))}
		resp, err := s.Client().Do(s.request("k", "x", nil))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			t.Errorf("declared=%v: a reply that was not saved looks whole: %q", declared, body)
		}
		store.heal()
		s.Close()
		_ = guard.Close(context.Background())
	}
}

func TestMiddlewareAShortBodyIsNotKept(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "cut")
	})
	resp, err := s.Client().Do(s.request("k", "x", nil))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the client took a cut reply for whole: %v", err)
	}
	wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
}

func TestMiddlewareLargeReplies(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 200_000) // 3.2 MB
	handler := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, bytes.NewReader(big)) }
	kept := serve(t, onceward.Config{MaxReply: 4 << 20}, oncehttp.Config{}, handler)
	for range 2 {
		if a := kept.post("k", "x"); a.body != string(big) {
			t.Errorf("%d bytes", len(a.body))
		}
	}
	gone := serve(t, onceward.Config{}, oncehttp.Config{}, handler)
	if a := gone.post("k", "x"); a.body != string(big) {
		t.Errorf("the first caller got %d bytes", len(a.body))
	}
	wantProblem(t, gone.post("k", "x"), 409, "reply-not-kept", false)
	if gone.runs.Load() != 1 {
		t.Errorf("%d runs", gone.runs.Load())
	}
}

func TestMiddlewareAClientThatHangsUp(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	var failed atomic.Bool
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-finish
		if r.Context().Err() != nil {
			failed.Store(true)
		}
		fmt.Fprint(w, "whole")
	})
	leaving, leave := context.WithCancel(context.Background())
	gone := make(chan error)
	go func() {
		_, err := s.Client().Do(s.request("k", "x", nil).WithContext(leaving))
		gone <- err
	}()
	<-running
	leave()
	if err := <-gone; err == nil {
		t.Fatal("the client did not hang up")
	}
	close(finish)
	if a := s.post("k", "x"); a.body != "whole" || s.runs.Load() != 1 || failed.Load() {
		t.Errorf("got %q after %d runs; context ended: %v", a.body, s.runs.Load(), failed.Load())
	}
}

func TestMiddlewareAClientThatHangsUpWhileUploading(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, created)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /orders?x=1 HTTP/1.1\r\nHost: %s\r\nX-User: alice\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: 100\r\n\r\nhalf", s.Listener.Addr())
	_ = conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 400 {
		t.Fatalf("half a body: %v %v", resp, err)
	}
	conn.Close()
	if a := s.post("k", "whole"); a.body != "created whole" || s.runs.Load() != 1 {
		t.Errorf("got %q after %d runs", a.body, s.runs.Load())
	}
}

func TestMiddlewareConcurrentDuplicates(t *testing.T) {
	s := serve(t, onceward.Config{Wait: 10 * time.Second}, oncehttp.Config{}, created)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if a := s.post("k", "x"); a.StatusCode != 201 || a.body != "created x" {
				t.Errorf("got %d %q", a.StatusCode, a.body)
			}
		})
	}
	wg.Wait()
	if s.runs.Load() != 1 {
		t.Errorf("%d runs", s.runs.Load())
	}
}

func TestMiddlewareHijackIsRefused(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("hijacked: %v", err)
		}
	})
	s.post("k", "x")
}

func TestMiddlewareConfigNamesEveryFault(t *testing.T) {
	_, err := oncehttp.Middleware(nil, nil, oncehttp.Config{Methods: []string{"GET", "post"}, MaxBody: -1, Statuses: map[int]onceward.Ending{100: onceward.EndSave}})
	if !errors.Is(err, onceward.ErrConfig) {
		t.Fatal(err)
	}
	for _, want := range []string{"GET", "post", "MaxBody", "100"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
