package sidecar

import (
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward/store"
)

// principals are those of all records.
func (b *bench) principals() string {
	b.t.Helper()
	page, err := b.store.List(b.t.Context(), store.ListRequest{Class: store.ClassDone, Limit: 100})
	if err != nil {
		b.t.Fatal(err)
	}
	var names []string
	for _, r := range page.Records {
		names = append(names, r.Principal)
	}
	return strings.Join(names, "\n")
}

func TestThereIsNoDefaultScope(t *testing.T) {
	for scope, want := range map[string]string{
		"":                     "scope is missing",
		"header:":              "no name of a header",
		"header:X User":        "no name of a header",
		"headr:X-User":         "use header:NAME",
		"Basic":                "use header:NAME",
		"header:Authorization": "scope-is-stable",
		"header:authorization": "scope-is-stable",
		"header:COOKIE":        "scope-is-stable",
		"header:X-API-Key":     "scope-is-stable",
		"jwt":                  "jwt-keys, jwt-issuer and jwt-audience are required",
		"cert":                 "client-ca is required",
	} {
		cfg := Default()
		cfg.Upstream, cfg.Scope = "http://127.0.0.1:1", scope
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("scope %q: %v, want %q", scope, err, want)
		}
	}
}

func TestOnlyAGatewaySaysWhoCalls(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.TrustedPeers = []string{"10.0.0.0/8"} })
	if a := b.post("k", "x"); !a.is(403) || !a.says("scope-missing") {
		t.Errorf("%d %s", a.StatusCode, a.problem())
	}
	if n := len(up.arrived()); n != 0 {
		t.Errorf("%d arrived", n)
	}
	b.send("GET", "/", "", "X-User: alice", "X_User: alice")
	if h := up.arrived()[0].Header; h.Get("X-User") != "" || h.Get("X_User") != "" {
		t.Errorf("the upstream is told by a stranger who calls: %v", h)
	}
	start(t, up.URL, nil).send("GET", "/", "", "X-User: alice", "X_User: bob")
	if h := up.arrived()[1].Header; h.Get("X-User") != "alice" || h.Get("X_User") != "" {
		t.Errorf("what a gateway says, and what it has passed on: %v", h)
	}
	for _, name := range []string{"X.User", "X~User", "X'User"} {
		b.send("GET", "/", "", name+": alice")
		seen := up.arrived()
		if h := seen[len(seen)-1].Header; h[http.CanonicalHeaderKey(name)] != nil {
			t.Errorf("some take %s for X-User: %v", name, h)
		}
	}
	open := start(t, up.URL, func(c *Config) { c.TrustedPeers, c.AllowAnonymous = []string{"10.0.0.0/8"}, true })
	if a := open.post("k", "x"); !a.is(403) {
		t.Errorf("whoever claims to be another is not anonymous: %d", a.StatusCode)
	}
}

func TestARequestSaysWhoCalls(t *testing.T) {
	up := serving(t, nil)
	for scope, headers := range map[string][]string{
		"header:X-User": {"X-Other: x"},
		"basic":         {"Authorization: Bearer x"},
	} {
		b := start(t, up.URL, func(c *Config) { c.Scope = scope })
		for _, h := range append(headers, "X: y") {
			if a := b.send("POST", "/", "x", "Idempotency-Key: k", h); !a.is(403) {
				t.Errorf("%s with %q: %d", scope, h, a.StatusCode)
			}
		}
	}
	b := start(t, up.URL, nil)
	if a := b.send("POST", "/", "x", "Idempotency-Key: k", "X-User: alice", "X-User: bob"); !a.is(403) {
		t.Errorf("two users: %d", a.StatusCode)
	}
	if n := len(up.arrived()); n != 0 {
		t.Errorf("%d arrived", n)
	}
}

// The anonymous have a scope of their own, which nobody else gets into by a name.
func TestAnonymousIsNobody(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.AllowAnonymous = true })
	b.expect(b.send("POST", "/orders", "x", "Idempotency-Key: k"), 201, "saved")
	if a := b.send("POST", "/orders", "x", "Idempotency-Key: k", "X-User: anonymous"); a.replayed() {
		t.Error("a user called anonymous gets an anonymous reply")
	}
	if a := b.send("POST", "/orders", "x", "Idempotency-Key: k"); !a.replayed() {
		t.Error("the anonymous retry is not replayed")
	}
}

func TestACredentialIsNotStored(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.Scope, c.ScopeIsStable = "header:Authorization", true })
	for _, token := range []string{"Authorization: Bearer secret-1", "Authorization: Bearer secret-2"} {
		for i := range 2 {
			if a := b.send("POST", "/", "x", "Idempotency-Key: k", token); a.replayed() != (i == 1) {
				t.Errorf("%s, send %d: replayed %v", token, i, a.replayed())
			}
		}
	}
	if got := b.principals(); strings.Contains(got, "secret") || strings.Count(got, "sha256:") != 2 {
		t.Errorf("principals:\n%s", got)
	}
}

func TestBasicIsTheName(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.Scope = "basic" })
	b.expect(b.send("POST", "/", "x", "Idempotency-Key: k", "Authorization: Basic YWxpY2U6b2xk"), 201, "saved")
	if a := b.send("POST", "/", "x", "Idempotency-Key: k", "Authorization: Basic YWxpY2U6bmV3"); !a.replayed() { // alice with a new password
		t.Error("after a change of the password the retry ran again")
	}
	if got := b.principals(); got != "basic:alice" {
		t.Errorf("principals %q", got)
	}
}

// A 403 may be the upstream's word on a wrong password: neither a stranger's nor one's own may become the reply to the name.
func TestAWrongPasswordBurnsNoKey(t *testing.T) {
	up := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "secret" {
			w.WriteHeader(403)
			return
		}
		w.WriteHeader(201)
	})
	const wrong, right = "Authorization: Basic YWxpY2U6d3Jvbmc=", "Authorization: Basic YWxpY2U6c2VjcmV0"
	b := start(t, up.URL, func(c *Config) {
		c.Scope, c.Routes = "basic", []Route{{Match: "POST /kept", Save: []int{403}}}
	})
	b.expect(b.send("POST", "/orders", "another wish", "Idempotency-Key: k", wrong), 403, "freed")
	b.expect(b.send("POST", "/orders", "x", "Idempotency-Key: k", right), 201, "saved")
	b.expect(b.send("POST", "/kept", "x", "Idempotency-Key: l", wrong), 403, "saved") // a route may say otherwise
	b = start(t, up.URL, nil)
	b.expect(b.post("k", "x"), 403, "saved") // there the caller is known, and this is the answer
}

// A client's Connection header does not take from the upstream what the proxy has gone by.
func TestConnectionTakesNothingAway(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, nil)
	b.raw(t, "POST /orders HTTP/1.1\r\nHost: x\r\nX-User: alice\r\nIdempotency-Key: k\r\nConnection: close, X-User, Idempotency-Key, X-Other\r\nX-Other: x\r\nContent-Length: 1\r\n\r\nx")
	if h := up.arrived()[0].Header; h.Get("X-User") != "alice" || h.Get("Idempotency-Key") != "k" || h.Get("X-Other") != "" {
		t.Errorf("the upstream gets %v", h)
	}
}
