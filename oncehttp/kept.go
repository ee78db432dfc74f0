package oncehttp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/onceward/onceward"
)

// framing are the headers of one message or connection, and the protocol's own: hop-by-hop (RFC 9110 §7.6.1) and the length. They are never kept.
var framing = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length",
	HeaderWindow, HeaderReplayed, HeaderOutcome,
}

// personal are the headers that a replay does not carry unless a route says so: the date, and what belongs to one caller's session or authentication.
var personal = []string{
	"Date", "Set-Cookie", "Www-Authenticate", "Authentication-Info", "Proxy-Authenticate", "Proxy-Authentication-Info",
}

// kept decides which headers of a reply are saved.
type kept struct{ drop map[string]bool }

func newKept(cfg Config) kept {
	k := kept{drop: make(map[string]bool)}
	for _, name := range slices.Concat(framing, personal, cfg.DropHeaders) {
		k.drop[http.CanonicalHeaderKey(name)] = true
	}
	for _, name := range cfg.KeepHeaders {
		delete(k.drop, http.CanonicalHeaderKey(name))
	}
	return k
}

// fields returns what is kept of a header: what the handler has set or changed over the outer middleware's. Sorted by name, so that equal replies are equal
// bytes; the values of a name stay in order.
// They are appended to out.
func (k kept) fields(out []onceward.Field, h, outer http.Header) []onceward.Field {
	var room [16]string
	names := room[:0]
	for name, values := range h {
		if k.drop[http.CanonicalHeaderKey(name)] || strings.HasPrefix(name, http.TrailerPrefix) || slices.Equal(values, outer[name]) {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range h[name] {
			out = append(out, onceward.Field{Name: name, Value: v})
		}
	}
	if len(out) == 0 {
		return nil
	}
	return slices.Clip(out)
}
