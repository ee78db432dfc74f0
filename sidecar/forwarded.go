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
		if known := spelling(name); known == "Forwarded" || known == "X-Real-Ip" || strings.HasPrefix(known, "X-Forwarded-") {
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
	p.Out.Header.Add("Forwarded", forwardedElement(p.In))
}

// forwardedElement describes one hop (RFC 7239 §4).
func forwardedElement(r *http.Request) string {
	proto := "http"
	if r.TLS != nil {
		proto = "https"
	}
	return "for=" + forwardedNode(r) + ";host=" + quoted(r.Host) + ";proto=" + proto
}

// forwardedNode is RFC 7239 §6: an IPv6 address stands in brackets and quotes.
func forwardedNode(r *http.Request) string {
	ip, ok := peerOf(r)
	switch {
	case !ok:
		return "unknown"
	case ip.Is6():
		return `"[` + ip.String() + `]"`
	}
	return ip.String()
}

// quoted is a value of RFC 7239: a token, or a quoted string.
func quoted(s string) string {
	switch {
	case validHeader(s):
		return s
	case strings.ContainsAny(s, `\"`):
		return strconv.Quote(s) // net/http lets no such host in
	}
	return `"` + s + `"`
}
