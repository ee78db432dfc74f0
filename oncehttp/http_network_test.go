package oncehttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// network is what a case runs over: a real socket, and HTTP/1.1 or HTTP/2 without TLS on it.
type network struct {
	t  *testing.T
	h2 bool
}

// eachNetwork runs a case in both.
func eachNetwork(t *testing.T, f func(t *testing.T, n network)) {
	for _, h2 := range []bool{false, true} {
		name := map[bool]string{false: "http1", true: "h2c"}[h2]
		t.Run(name, func(t *testing.T) { f(t, network{t, h2}) })
	}
}

// listen serves a handler, and fails the test if a request comes over the other protocol.
func (n network) listen(h http.Handler) *httptest.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(!n.h2)
	protocols.SetUnencryptedHTTP2(n.h2)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.ProtoMajor == 2) != n.h2 {
			n.t.Errorf("the request came over %s", r.Proto)
		}
		h.ServeHTTP(w, r)
	}))
	s.Config.Protocols = &protocols
	s.Start()
	s.Client().Transport = &http.Transport{Protocols: &protocols, DisableCompression: true}
	s.Client().Timeout = 10 * time.Second
	return s
}

// serve guards a handler over a memory store of its own.
func (n network) serve(gcfg onceward.Config, cfg oncehttp.Config, h http.HandlerFunc) *served {
	n.t.Helper()
	return n.over(memstore.New(memstore.Config{}), gcfg, cfg, h)
}

// over guards a handler over st.
func (n network) over(st store.Store, gcfg onceward.Config, cfg oncehttp.Config, h http.HandlerFunc) *served {
	n.t.Helper()
	guard, err := onceward.New(st, gcfg)
	if err != nil {
		n.t.Fatal(err)
	}
	once, err := oncehttp.Middleware(guard, byUser, cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	s := &served{t: n.t, guard: guard}
	s.Server = n.listen(once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.runs.Add(1)
		h(w, r)
	})))
	n.t.Cleanup(func() {
		s.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := guard.Close(ctx); err != nil {
			n.t.Error(err)
		}
	})
	return s
}

// cutOff sends a request whose reply must not look whole, in headers or body.
func (s *served) cutOff(req *http.Request) {
	s.t.Helper()
	resp, err := s.Client().Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		s.t.Errorf("the reply looks whole: %d %q", resp.StatusCode, body)
	}
}

// ranTimes checks how often the handler ran.
func (s *served) ranTimes(want int64) {
	s.t.Helper()
	if got := s.runs.Load(); got != want {
		s.t.Errorf("the handler ran %d times, want %d", got, want)
	}
}

// sameReply compares a first reply with a replay: all but the date and what the protocol says must be equal.
func sameReply(t *testing.T, first, again answer) {
	t.Helper()
	if again.Header.Get(oncehttp.HeaderReplayed) != "true" || first.Header.Get(oncehttp.HeaderReplayed) != "" {
		t.Errorf("replayed: %q, then %q", first.Header.Get(oncehttp.HeaderReplayed), again.Header.Get(oncehttp.HeaderReplayed))
	}
	if first.StatusCode != again.StatusCode || first.body != again.body {
		t.Errorf("%d with %d bytes became %d with %d bytes", first.StatusCode, len(first.body), again.StatusCode, len(again.body))
	}
	differ := func(what string, a, b http.Header, but ...string) {
		a, b = a.Clone(), b.Clone()
		for _, name := range but {
			a.Del(name)
			b.Del(name)
		}
		for name, values := range a {
			if !equal(values, b[name]) {
				t.Errorf("%s %s: %q became %q", what, name, values, b[name])
			}
		}
		for name, values := range b {
			if _, ok := a[name]; !ok {
				t.Errorf("%s %s: only the replay has %q", what, name, values)
			}
		}
	}
	differ("header", first.Header, again.Header, "Date", "Content-Length", "Set-Cookie", oncehttp.HeaderReplayed, oncehttp.HeaderOutcome)
	differ("trailer", first.Trailer, again.Trailer, oncehttp.HeaderOutcome)
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// hooked is a store whose completions do something first.
type hooked struct {
	store.Store
	onComplete func() error
}

func (s *hooked) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if q.Op == store.OpComplete {
		if err := s.onComplete(); err != nil {
			return store.Answer{}, err
		}
	}
	return s.Store.Advance(ctx, q)
}

var errStoreBroke = errors.New("the connection to the store broke")
