package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// failing is a store that does not answer.
type failing struct {
	store.Store
	down atomic.Bool
}

var errDown = errors.New("the store is down")

func (f *failing) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if f.down.Load() {
		return store.Answer{}, errDown
	}
	return f.Store.Claim(ctx, q)
}

func (f *failing) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	if f.down.Load() {
		return store.Answer{}, errDown
	}
	return f.Store.Get(ctx, who)
}

func TestWithoutAStoreNothingKeyedPasses(t *testing.T) {
	up := serving(t, nil)
	s := &failing{Store: memstore.New(memstore.Config{})}
	b := startOver(t, s, up.URL, nil)
	s.down.Store(true)
	if a := b.post("k", "x"); !a.is(503) || !a.says("store-unavailable") {
		t.Errorf("%d %s", a.StatusCode, a.problem())
	}
	if n := len(up.arrived()); n != 0 {
		t.Errorf("%d arrived", n)
	}
	admin := b.admin(func(*http.Request) (string, error) { return "tester", nil })
	if status, text := get(t, admin, "/readyz"); status != 503 || !strings.Contains(text, "store: the store is down") || !strings.Contains(text, "upstream: ok") {
		t.Errorf("ready: %d %s", status, text)
	}
	s.down.Store(false)
	b.expect(b.post("k", "x"), 201, "saved")
}

// admin is the admin listener's handler.
func (b *bench) admin(authorize func(*http.Request) (string, error)) http.Handler {
	b.t.Helper()
	h, err := b.proxy.adminHandler(authorize)
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

func get(t *testing.T, h http.Handler, path string, headers ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestHealthReadinessAndMetrics(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.Routes = []Route{{Match: "POST /orders"}} })
	admin := b.admin(func(*http.Request) (string, error) { return "", errors.New("nobody") })
	if status, text := get(t, admin, "/readyz"); status != 200 || text != "proxy: ok\nstore: ok\nupstream: ok\n" {
		t.Errorf("ready: %d %s", status, text)
	}
	b.post("k", "x")
	b.post("k", "x")
	b.post("k", "y")
	_, metrics := get(t, admin, "/metrics")
	for _, want := range []string{
		`onceward_operations_total{outcome="saved",route="POST /orders"} 1`, `onceward_operations_total{outcome="replayed",route="POST /orders"} 1`,
		`onceward_operations_total{outcome="key-reused",route="POST /orders"} 1`, `onceward_added_seconds_count{route="POST /orders"} 3`,
		`onceward_in_flight 0`, `onceward_records{state="done"} 1`, `onceward_records{state="unknown"} 0`, `onceward_store_up 1`,
		`onceward_store_seconds_count{call="claim",result="ok"} 3`, `onceward_store_bytes `,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in:\n%s", want, metrics)
		}
	}
	if status, _ := get(t, admin, "/records"); status != 403 {
		t.Errorf("the admin API is open: %d", status)
	}
	if status, _ := get(t, admin, "/healthz"); status != 200 {
		t.Errorf("health: %d", status)
	}
	b.proxy.closing.Store(true)
	up.Close()
	if status, text := get(t, admin, "/readyz"); status != 503 || !strings.Contains(text, "proxy: shutting down") || strings.Contains(text, "upstream: ok") {
		t.Errorf("ready: %d %s", status, text)
	}
}

// What a store can do besides, the measured one can.
func TestAMeasuredStoreIsWhatTheStoreIs(t *testing.T) {
	up := serving(t, nil)
	if _, finds := start(t, up.URL, nil).proxy.store.(store.Finder); !finds {
		t.Error("over the memory store operations are not found by their id any more")
	}
	if _, finds := startOver(t, &failing{Store: memstore.New(memstore.Config{})}, up.URL, nil).proxy.store.(store.Finder); finds {
		t.Error("a store that does not find claims to")
	}
}

func TestTheAdminAPIWantsAToken(t *testing.T) {
	token := strings.Repeat("t", minToken)
	authorize, err := byToken(write(t, filepath.Join(t.TempDir(), "token"), token+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	up := serving(t, nil)
	b := start(t, up.URL, nil)
	for header, want := range map[string]int{"X: y": 403, "Authorization: Bearer x": 403, "Authorization: Bearer ": 403, "Authorization: " + token: 403, "Authorization: Bearer " + token: 200} {
		if status, _ := get(t, b.admin(authorize), "/records", header); status != want {
			t.Errorf("%s: %d, want %d", header, status, want)
		}
	}
	none, err := byToken("")
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, b.admin(none), "/records", "Authorization: Bearer "); status != 403 {
		t.Errorf("without a token in the settings: %d", status)
	}
	if _, err := byToken(write(t, filepath.Join(t.TempDir(), "token"), "short")); err == nil {
		t.Error("a short token is accepted")
	}
}

func TestAReloadChangesRoutesAndAWrongOneNothing(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, nil)
	cfg := b.proxy.started
	wrong := cfg
	wrong.Scope = "header:"
	elsewhere := cfg
	elsewhere.Upstream, elsewhere.Window = "http://127.0.0.1:1", time.Hour
	lost := cfg
	lost.Scope, lost.JWTKeys, lost.JWTIssuer, lost.JWTAudience = "jwt", "/no/such/file", "i", "a"
	for want, c := range map[string]Config{"no name of a header": wrong, "upstream can be changed by a restart only": elsewhere, "jwt-keys /no/such/file": lost} {
		if err := b.proxy.Reload(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := b.proxy.ReloadFrom(t.Context(), func() (Config, error) { return Config{}, errors.New("not YAML") }); err == nil {
		t.Error("what cannot be read is used")
	}
	_, metrics := get(t, b.admin(func(*http.Request) (string, error) { return "", errors.New("nobody") }), "/metrics")
	if !strings.Contains(metrics, `onceward_reloads_total{result="refused"} 4`) {
		t.Error("refused files are not counted")
	}
	b.expect(b.post("k", "x"), 201, "saved") // as before
	next := cfg
	next.Key, next.Routes = KeyOptional, []Route{{Match: "POST /orders", MaxBody: new(Bytes(3))}}
	if err := b.proxy.Reload(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	b.expect(b.send("POST", "/", "x"), 201, "")
	if a := b.post("k2", "four"); !a.is(413) {
		t.Errorf("%d", a.StatusCode)
	}
	if a := b.post("k", "x"); !a.replayed() {
		t.Errorf("%d: after a reload the reply is gone", a.StatusCode)
	}
}

// A run of the whole: sockets, the admin API by way of the kernel's word, and an end that waits.
func TestRunEndsWhatIsUnderWay(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := serving(t, func(w http.ResponseWriter, _ *http.Request) { arrived <- struct{}{}; <-release; w.WriteHeader(201) })
	cfg := Default()
	cfg.Upstream, cfg.Scope, cfg.Listen = up.URL, "global", "127.0.0.1:0"
	socket := filepath.Join(t.TempDir(), "admin")
	cfg.Admin = "unix:" + socket
	log := newLines()
	s := memstore.New(memstore.Config{})
	p, err := New(t.Context(), s, cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	url := log.find(t, "url=")
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", info, err)
	}
	admin := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	defer admin.CloseIdleConnections()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://x/records", nil)
	if a := read(admin, req); !a.is(200) {
		t.Errorf("the admin API: %d %v", a.StatusCode, a.err)
	}
	b := &bench{t: t, url: url}
	answered := make(chan answer, 1)
	go func() { answered <- b.send("POST", "/", "x", oncehttp.HeaderKey+": k") }()
	<-arrived
	stop()
	log.find(t, "msg=\"shutting ")
	close(release)
	b.expect(<-answered, 201, "saved")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := s.Stats(t.Context(), ""); !errors.Is(err, store.ErrClosed) {
		t.Errorf("the store is not closed: %v", err)
	}
}

// logLines is a log that a test waits on.
type logLines struct{ out chan string }

func newLines() *logLines { return &logLines{out: make(chan string, 1000)} }

func (l *logLines) Write(p []byte) (int, error) {
	l.out <- string(p)
	return len(p), nil
}

// find waits for a line with mark in it, and returns the word after it.
func (l *logLines) find(t *testing.T, mark string) string {
	t.Helper()
	for {
		select {
		case line := <-l.out:
			if _, rest, ok := strings.Cut(line, mark); ok {
				word, _, _ := strings.Cut(rest, " ")
				return word
			}
		case <-t.Context().Done():
			t.Fatal("no line with " + mark)
		}
	}
}

func TestACircleIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	cfg := Default()
	cfg.Upstream, cfg.Scope, cfg.Listen, cfg.Admin = "http://"+address, "global", address, "127.0.0.1:0"
	p, err := New(t.Context(), memstore.New(memstore.Config{}), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("%v", err)
	}
}
