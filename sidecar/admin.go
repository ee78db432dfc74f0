package sidecar

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// readyTimeout bounds one look at the store and the upstream.
const readyTimeout = 2 * time.Second

// adminHandler serves health and metrics to whoever reaches the admin listener, and the admin API to whom authorize knows.
func (p *Proxy) adminHandler(authorize func(*http.Request) (string, error)) (http.Handler, error) {
	most := p.started.MaxReply
	for _, r := range p.started.Routes {
		if r.MaxReply != nil {
			most = max(most, *r.MaxReply)
		}
	}
	// A reply that an operator gives may be as long as the upstream's; JSON makes it longer.
	api, err := oncehttp.Admin(p.guard, authorize, oncehttp.AdminConfig{MaxBody: 2*int64(most) + oncehttp.DefaultAdminBody})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", p.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.watch.registry, promhttp.HandlerOpts{}))
	mux.Handle("/", api)
	return mux, nil
}

// ready says whether a keyed request would be carried out: the store answers, the upstream takes connections, and the proxy does not end.
func (p *Proxy) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	checks := []struct {
		name string
		err  error
	}{{"proxy", nil}, {"store", p.probe(ctx)}, {"upstream", p.up.check(ctx)}}
	if p.closing.Load() {
		checks[0].err = errors.New("shutting down")
	}
	status, text := http.StatusOK, ""
	for _, c := range checks {
		if c.err != nil {
			status = http.StatusServiceUnavailable
			text += c.name + ": " + c.err.Error() + "\n"
			continue
		}
		text += c.name + ": ok\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}

var probeKey, _ = onceward.ParseKey("readyz")

// probe reads a record that does not exist.
func (p *Proxy) probe(ctx context.Context) error {
	_, err := p.store.Get(ctx, onceward.Scope{Service: p.started.Service, Principal: "readyz"}.Identity(probeKey))
	return err
}

// authorizer is who lets operators in.
func (c Config) authorizer() (func(*http.Request) (string, error), error) {
	if strings.HasPrefix(c.Admin, "unix:") {
		return bySocket, nil
	}
	return byToken(c.AdminToken)
}

// byToken lets in whoever shows the token of a file (RFC 6750 §2.1); an empty name lets in nobody.
func byToken(file string) (func(*http.Request) (string, error), error) {
	if file == "" {
		return func(*http.Request) (string, error) {
			return "", errors.New("the admin API is on a unix: address only, unless admin-token is set")
		}, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("admin-token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < minToken {
		return nil, fmt.Errorf("admin-token: the token in %s has %d characters: use %d or more, from a random source", file, len(token), minToken)
	}
	want := sha256.Sum256([]byte("Bearer " + token))
	return func(r *http.Request) (string, error) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return "", errors.New("no token, or a wrong one")
		}
		return actor(r, "token"), nil
	}, nil
}

const minToken = 16

// connKey is the context's key of the connection that a request came by.
type connKey struct{}

// bySocket lets in the user that the proxy runs as, and root. The kernel says who it is.
func bySocket(r *http.Request) (string, error) {
	conn, ok := r.Context().Value(connKey{}).(*net.UnixConn)
	if !ok {
		return "", errors.New("no Unix socket")
	}
	uid, err := peerUID(conn)
	if err != nil {
		return "", err
	}
	if uid != 0 && uid != os.Geteuid() {
		return "", fmt.Errorf("uid %d is neither root nor the proxy's user", uid)
	}
	return actor(r, fmt.Sprintf("uid %d", uid)), nil
}

// actor is what the audit trail says: who is verified, and whom it claims to be (`onceward keys` says so), never the one without the other.
func actor(r *http.Request, verified string) string {
	claimed := strings.TrimSpace(r.Header.Get(oncehttp.HeaderActor))
	if claimed == "" {
		return verified
	}
	return claimed + " (" + verified + ")"
}
