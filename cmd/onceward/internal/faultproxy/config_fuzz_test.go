package faultproxy

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward/faults"
)

// FuzzConfig: what the flags' texts may be is refused with the flag's name, or makes a network that can be built. A password in the upstream is not told.
func FuzzConfig(f *testing.F) {
	for _, delay := range []string{"", "0.2:10ms-2s", "1:0s-0s", "0.2", "0.2:1s", "0.2:2s-1s", "0.2:-1s-1s", ":1s-2s", "0.2:1s-2h", "NaN:1s-2s", "-1:1s-2s", "1e400:1s-2s", "Inf:0s-1s", "0x1p-2:1us-1µs", "0.2:1s-2s-3s"} {
		f.Add(delay, "http://127.0.0.1:8080", "POST /transfers/{id}", "Idempotency-Key", "127.0.0.1:0")
	}
	for _, only := range []string{"", "/", "/fine/", "POST /a", "POST  /a", "/a/{", "/a/{x}/{x}", "/{x...}/", "h/{$}", "/*", "a", "\x00", "/a b", "{x}"} {
		f.Add("", "https://bank.example/base", only, "X-Request-Id", ":9000")
	}
	for _, upstream := range []string{"", "http://[::1]:80", "http://[::1", "http://user:secret@h", "http://secret%zz@h", "ftp://h", "//h", "http://h/?q", "http://h/#f", "http://:80", "http://h:99999", "HTTP://H"} {
		f.Add("", upstream, "/", "a b", "9000")
	}
	f.Fuzz(func(t *testing.T, delay, upstream, only, identity, listen string) {
		c := Config{Delay: delay, Upstream: upstream, Only: []string{only}, Identity: identity, Listen: listen}.withDefaults()
		err := c.validate()
		if err != nil {
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "--") {
				t.Fatalf("%v", err)
			}
			if _, err := (Config{Upstream: "http://user:hunter2hunter2@" + upstream}).upstream(); err == nil || strings.Contains(err.Error(), "hunter2hunter2") {
				t.Fatalf("a password is taken, or told: %v", err)
			}
			return
		}
		late, err := c.delay()
		if err != nil || !(late.probability >= 0 && late.probability <= 1) || late.least < 0 || late.most < late.least || late.most > MaxWait {
			t.Fatalf("%q is %+v, %v", delay, late, err)
		}
		if u, err := c.upstream(); err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q is %v, %v", upstream, u, err)
		}
		if _, err := faults.New(http.NotFoundHandler(), c.network(func(faults.Event) {})); err != nil {
			t.Fatalf("%+v is valid, and cannot be built: %v", c, err)
		}
	})
}
