package sidecar

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onceward/onceward/store/memstore"
)

// Whoever is turned away before the guard sees him is counted, and the log has the reason for who looks for it.
func TestRefusalsAreCountedAndExplained(t *testing.T) {
	_, entry := ecKey(t, "one")
	up := serving(t, nil)
	for _, c := range []struct {
		problem, cause string
		status         int
		change         func(*Config)
		headers        []string
	}{
		{"scope-missing", "trusted-peers", 403, func(c *Config) { c.TrustedPeers = []string{"10.1.1.1"} }, []string{"Idempotency-Key: k", "X-User: alice"}},
		{"scope-missing", "does not say who calls", 403, nil, []string{"Idempotency-Key: k"}},
		{"scope-missing", "does not hold", 403, withJWT(jwksFile(t, entry)), []string{"Idempotency-Key: k", "Authorization: Bearer e30.e30.e30"}},
		{"key-missing", "missing", 400, nil, []string{"X-User: alice"}},
		{"key-invalid", "comma", 400, nil, []string{"Idempotency-Key: secret,key", "X-User: alice"}},
		{"body-too-large", "at most 4 bytes", 413, func(c *Config) { c.MaxBody = 4 }, []string{"Idempotency-Key: k", "X-User: alice"}},
	} {
		cfg := Default()
		cfg.Upstream, cfg.Scope = up.URL, "header:X-User"
		if c.change != nil {
			c.change(&cfg)
		}
		var log bytes.Buffer
		p, err := New(t.Context(), memstore.New(memstore.Config{}), cfg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(p)
		b := &bench{t: t, url: server.URL, proxy: p}
		if a := b.send("POST", "/orders", "hello", c.headers...); !a.is(c.status) {
			t.Errorf("%s: %d", c.problem, a.StatusCode)
		}
		server.Close()
		_, metrics := get(t, b.admin(func(*http.Request) (string, error) { return "", errors.New("nobody") }), "/metrics")
		for _, want := range []string{`onceward_operations_total{outcome="` + c.problem + `",route="*"} 1`, `onceward_added_seconds_count{route="*"} 1`} {
			if !strings.Contains(metrics, want) {
				t.Errorf("no %s", want)
			}
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if text := log.String(); !strings.Contains(text, "level=DEBUG msg=refused") || !strings.Contains(text, c.cause) || strings.Contains(text, "secret") || strings.Contains(text, "alice") {
			t.Errorf("%s: the log says %q", c.problem, text)
		}
	}
	if n := len(up.arrived()); n != 0 {
		t.Errorf("%d arrived", n)
	}
}

// Of a reply that cannot be read the log has what is wrong with it, and nothing of what it says.
func TestTheLogDoesNotQuoteTheUpstream(t *testing.T) {
	for _, reply := range []string{
		"HTTP/1.1 200 OK\r\nSECRET\r\n\r\n", "HTTP/1.1 SECRET\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: SECRET\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: SECRET\r\n\r\n",
		"HTTP/9 SECRET\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n", "HTTP/1.1 200 OK\r\nSe cret \"SECRET: x\r\n\r\n",
	} {
		var log bytes.Buffer
		cfg := Default()
		cfg.Upstream, cfg.Scope = raw(t, func(int) (string, bool) { return reply, false }).url(), "global"
		p, err := New(t.Context(), memstore.New(memstore.Config{}), cfg, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(p)
		b := &bench{t: t, url: server.URL}
		b.expect(b.send("POST", "/", "x", "Idempotency-Key: k"), 502, "doubted")
		server.Close()
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if text := log.String(); strings.Contains(text, "SECRET") || !strings.Contains(text, "upstream failed") {
			t.Errorf("%q: the log says %s", reply, text)
		}
	}
}
