package sidecar

import (
	"net/http"
	"testing"
)

// What an upstream might read as PATCH does not get past the proxy because it is written differently, with a key or without.
func TestAMethodIsWrittenInCapitals(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, func(c *Config) { c.Key = KeyOptional })
	for _, method := range []string{"patch", "post", "Post", "delete", "puT"} {
		for _, key := range [][]string{nil, {"Idempotency-Key: k", "X-User: alice"}} {
			conn := method + " / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
			for _, line := range key {
				conn += line + "\r\n"
			}
			if got := b.raw(t, conn+"\r\n"); got.StatusCode != http.StatusNotImplemented {
				t.Errorf("%s, %v: %d", method, key, got.StatusCode)
			}
		}
	}
	if n := len(up.arrived()); n > 0 {
		t.Errorf("%d arrived", n)
	}
}

// A request without a body arrives without one: a method that takes none would be refused for it.
func TestNothingIsNoBody(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, nil)
	for _, method := range []string{"MKCOL", "purge", "DELETE", "GET", "PUT"} {
		b.expect(b.send(method, "/", "", "Idempotency-Key: k"), 201, "")
		seen := up.arrived()
		if r := seen[len(seen)-1]; r.Method != method || r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
			t.Errorf("%s: %s with %d bytes, %v", method, r.Method, r.ContentLength, r.TransferEncoding)
		}
	}
}
