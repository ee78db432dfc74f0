package sidecar

import (
	"testing"
)

// With close-delimited a crash in the middle of a reply without a length looks like its end: what there was of it is the reply for ever.
func TestLimitACloseDelimitedReplyMayBeCut(t *testing.T) {
	up := raw(t, func(int) (string, bool) {
		return "HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n{\"paid\": 1", false
	}) // … 000}
	b := start(t, up.url(), func(c *Config) { c.CloseDelimited = true })
	b.expect(b.post("k", "x"), 201, "saved")
	if a := b.post("k", "x"); a.body != `{"paid": 1` || !a.replayed() {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
}

// Who promises that a credential never changes, and refreshes it between two sends, has the operation carried out twice.
func TestLimitARefreshedCredentialRunsTwice(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.Scope, c.ScopeIsStable = "header:Authorization", true })
	for _, token := range []string{"old", "new"} {
		b.expect(b.send("POST", "/", "x", "Idempotency-Key: k", "Authorization: Bearer "+token), 201, "saved")
	}
	if n := len(up.arrived()); n != 2 {
		t.Errorf("%d arrived", n)
	}
}

// A replay does not pass the upstream's own authorisation: with basic the name is enough.
func TestLimitBasicReplaysWithoutThePassword(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.Scope = "basic" })
	b.expect(b.send("POST", "/", "x", "Idempotency-Key: k", "Authorization: Basic YWxpY2U6cmlnaHQ="), 201, "saved")
	if a := b.send("POST", "/", "x", "Idempotency-Key: k", "Authorization: Basic YWxpY2U6d3Jvbmc="); !a.replayed() || len(up.arrived()) != 1 {
		t.Errorf("%d", a.StatusCode)
	}
}

// On a connection that requests share it cannot be proven that nothing was sent: a doubt, although the upstream had not begun.
func TestLimitADyingHTTP2ConnectionIsADoubt(t *testing.T) {
	up := raw(t, func(int) (string, bool) { return "", false }) // does not even speak HTTP/2
	b := start(t, "h2c"+up.url()[len("http"):], nil)
	b.expect(b.post("k", "x"), 502, "doubted")
}
