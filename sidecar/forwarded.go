package sidecar

import (
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
)

// forward tells the upstream who asked for what. What the request brings along counts only if a gateway has sent it.
func forward(p *httputil.ProxyRequest, trusted peers) {
	gateway := trusted.trust(p.In)
	for name, values := range p.In.Header {
		if len(name) < len("Forwarded") || !strings.ContainsRune("FfXx", rune(name[0])) { // most are of no concern here
			continue
		}
		if known := spelling(name); tellsOrigin(known) {
			delete(p.Out.Header, name)
			if gateway && name == known { // a gateway's own are spelt like this; others it may have passed on
				p.Out.Header[name] = values
			}
		}
	}
	host, proto := p.Out.Header.Get("X-Forwarded-Host"), p.Out.Header.Get("X-Forwarded-Proto")
	p.SetXForwarded() // appends to X-Forwarded-For, and replaces the others
	if gateway && host != "" {
		p.Out.Header.Set("X-Forwarded-Host", host)
	}
	if gateway && proto != "" {
		p.Out.Header.Set("X-Forwarded-Proto", proto)
	}
	p.Out.Header["Forwarded"] = append(p.Out.Header["Forwarded"], forwardedElement(p.In))
}

// tellsOrigin reports whether a field says where a request comes from. known is its spelling.
func tellsOrigin(known string) bool {
	return known == "Forwarded" || known == "X-Real-Ip" || strings.HasPrefix(known, "X-Forwarded-")
}

// forwardedElement describes one hop (RFC 7239 §4).
func forwardedElement(r *http.Request) string {
	var room [128]byte
	b := appendNode(append(room[:0], "for="...), r)
	b = appendValue(append(b, ";host="...), r.Host)
	b = append(b, ";proto=http"...)
	if r.TLS != nil {
		b = append(b, 's')
	}
	return string(b)
}

// appendNode is RFC 7239 §6: an IPv6 address stands in brackets and quotes.
func appendNode(b []byte, r *http.Request) []byte {
	ip, ok := peerOf(r)
	switch {
	case !ok:
		return append(b, "unknown"...)
	case ip.Is6():
		return append(ip.AppendTo(append(b, `"[`...)), `]"`...)
	}
	return ip.AppendTo(b)
}

// appendValue appends a value of RFC 7239: a token, or a quoted string.
func appendValue(b []byte, s string) []byte {
	switch {
	case validHeader(s):
		return append(b, s...)
	case strings.ContainsAny(s, `\"`):
		return strconv.AppendQuote(b, s) // net/http lets no such host in
	}
	return append(append(append(b, '"'), s...), '"')
}
