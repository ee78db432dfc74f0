package compat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

type wrapper = func(http.Handler) http.Handler

// framework is somebody's web framework with our middleware in it.
type framework struct {
	name     string
	panicked int // what its recoverer answers; 0: it has none, the connection is cut

	// serve mounts the shop in the framework's own manner: POST /orders and POST /stream, which are guarded by once, and GET /orders.
	// A recoverer, if there is one, is outside of once.
	serve func(t *testing.T, once wrapper, s *shop) http.Handler
}

var frameworks = []framework{
	{"net/http", 0, serveNetHTTP},
	{"chi", 500, serveChi},
	{"echo v4", 500, serveEcho4},
	{"echo v5", 500, serveEcho5},
	{"go-zero", 500, serveGoZero},
	{"kratos", 500, serveKratos},
}

// stage is a framework at work on a real socket.
type stage struct {
	*httptest.Server
	t       *testing.T
	shop    *shop
	store   *moody
	arrived chan *http.Request // each request, as it comes to our middleware
}

// byUser is the scope of these tests. Authentication is not what they are about: somebody has left the user's name in a header.
var byUser = oncehttp.Principal("orders", func(r *http.Request) (string, error) { return r.Header.Get("X-User"), nil })

func guardOf(t *testing.T, st store.Store, cfg onceward.Config) *onceward.Guard {
	t.Helper()
	guard, err := onceward.New(st, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return guard
}

func wrapperOf(t *testing.T, exec onceward.Executor) wrapper {
	t.Helper()
	once, err := oncehttp.Middleware(exec, byUser, oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return once
}

func open(t *testing.T, f framework) *stage {
	t.Helper()
	s := &stage{t: t, shop: newShop(), store: &moody{Store: memstore.New(memstore.Config{})}, arrived: make(chan *http.Request, 100)}
	guard := guardOf(t, s.store, onceward.Config{Wait: 10 * time.Second, SaveLimit: 200 * time.Millisecond})
	once := wrapperOf(t, guard)
	watched := func(next http.Handler) http.Handler {
		guarded := once(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.arrived <- r
			guarded.ServeHTTP(w, r)
		})
	}
	s.Server = httptest.NewServer(f.serve(t, watched, s.shop))
	t.Cleanup(s.Close)
	t.Cleanup(func() { s.store.down.Store(false) })
	return s
}

// moody is a store that completes no record while it is down.
type moody struct {
	store.Store
	down atomic.Bool
}

func (m *moody) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if q.Op == store.OpComplete && m.down.Load() {
		return store.Answer{}, errors.New("down")
	}
	return m.Store.Advance(ctx, q)
}

// request makes a keyed POST.
func request(t *testing.T, url, key, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-User", "alice")
	if key != "" {
		r.Header.Set(oncehttp.HeaderKey, key)
	}
	return r
}

// answer is a reply read to its end, or what became of it.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func send(r *http.Request) answer {
	client := http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		Timeout:   10 * time.Second,
	}
	resp, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), err}
}

func (s *stage) post(path, key, body string) answer {
	s.t.Helper()
	return send(request(s.t, s.URL+path, key, body))
}

func (a answer) replayed() bool { return a.header.Get(oncehttp.HeaderReplayed) == "true" }

// want holds a to status and, if it is a problem, to its name.
func want(t *testing.T, what string, a answer, status int, problem string) {
	t.Helper()
	is := strings.HasPrefix(a.header.Get("Content-Type"), oncehttp.ProblemType)
	if a.err != nil || a.status != status || is != (problem != "") || !strings.Contains(a.body, problem) {
		t.Fatalf("%s: got %d %q %v; want %d %s", what, a.status, a.body, a.err, status, problem)
	}
}

// wantOrders holds the shop to the number of orders taken.
func (s *shop) wantOrders(t *testing.T, n int64) {
	t.Helper()
	if got := s.orders.Load(); got != n {
		t.Errorf("%d orders taken, want %d", got, n)
	}
}
