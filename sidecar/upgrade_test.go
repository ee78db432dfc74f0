package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// An upgrade to HTTP in another form would be a way past the proxy: the upstream is not asked for it, so that it cannot agree to one.
func TestOnlyAWebSocketIsATunnel(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.Key = KeyOptional })
	for _, upgrade := range []string{"h2c", "H2C", "TLS/1.0", "websocket, h2c", "h2c, websocket"} {
		for _, method := range []string{"GET", "POST"} {
			for _, more := range []string{"", "Idempotency-Key: " + method + upgrade[:3] + "\r\nX-User: alice\r\n"} {
				got := b.raw(t, fmt.Sprintf("%s /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AAMAAABk\r\n%sContent-Length: 0\r\n\r\n", method, upgrade, more))
				if got.StatusCode == http.StatusSwitchingProtocols {
					t.Errorf("%s, Upgrade: %s: the proxy tunnels", method, upgrade)
				}
			}
		}
	}
	b.raw(t, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n") // not named in Connection
	seen := up.arrived()
	if len(seen) == 0 {
		t.Fatal("nothing arrived")
	}
	for _, r := range seen {
		if got := r.Header.Get("Upgrade") + r.Header.Get("Connection") + r.Header.Get("HTTP2-Settings"); got != "" {
			t.Errorf("%s: the upstream is asked for %q", r.Method, got)
		}
	}
}

// A keyed request is not asked to switch, and what it asks for is no reason to doubt it.
func TestAnUpgradeMakesNoDoubt(t *testing.T) {
	b := start(t, serving(t, nil).URL, nil)
	for i, upgrade := range []string{"websocket", "\xff", "a, \xff"} {
		got := b.raw(t, fmt.Sprintf("POST /x HTTP/1.1\r\nHost: x\r\nX-User: alice\r\nIdempotency-Key: k%d\r\nConnection: Upgrade\r\nUpgrade: %s\r\nContent-Length: 0\r\n\r\n", i, upgrade))
		if outcome := got.Header.Get("Onceward-Outcome"); got.StatusCode != 201 || outcome != "saved" {
			t.Errorf("%q: %d %s", upgrade, got.StatusCode, outcome)
		}
	}
}

// The body of a CONNECT would be written to the upstream as it is, and be the next requests there, with whatever headers: none gets through.
func TestAConnectIsNoTunnel(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.TrustedPeers = []string{"192.0.2.1"} })
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	smuggled := io.NopCloser(strings.NewReader("POST /transfers HTTP/1.1\r\nHost: x\r\nX-User: bob\r\nContent-Length: 0\r\n\r\n"))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, b.url+"/", smuggled)
	if err != nil {
		t.Fatal(err)
	}
	if a := read(&http.Client{Transport: transport}, r); !a.is(http.StatusNotImplemented) {
		t.Errorf("%d %s, %v", a.StatusCode, a.problem(), a.err)
	}
	if n := len(up.arrived()); n > 0 {
		t.Errorf("%d arrived", n)
	}
}

// raw sends bytes of HTTP/1.1 and reads the head of the reply.
func (b *bench) raw(t *testing.T, request string) *http.Response {
	t.Helper()
	conn := b.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
