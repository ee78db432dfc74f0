package sidecar

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"

	"github.com/onceward/onceward/oncehttp"
)

// early are the fields that have to be there before the content (RFC 9110 §6.5.1): what frames, routes or changes the message, says who calls or what the
// content is, and what is of one connection. Whoever reads them behind it may take them for headers all the same.
var early = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Http2-Settings": true,
	"Host": true, "Expect": true, "Max-Forwards": true, "Range": true, "Cache-Control": true, "Pragma": true,
	"Authorization": true, "Cookie": true, "Set-Cookie": true, "X-Api-Key": true, "Www-Authenticate": true, "Realm": true,
	"Content-Length": true, "Content-Type": true, "Content-Encoding": true, "Content-Range": true, "Content-Language": true, "Content-Location": true, "Content-Disposition": true,
	"Age": true, "Date": true, "Expires": true, "Location": true, "Retry-After": true, "Vary": true, "Warning": true,
	oncehttp.HeaderKey: true, oncehttp.HeaderReplayed: true,
}

// earlyKinds are how the names of others of them begin. Of what begins with Content-, digests are made while the content is sent.
var earlyKinds = []string{"Accept", "If-", "Proxy-", "Sec-", "Onceward-"}

// mayFollow reports whether a field of this name may follow a request's body: none that the proxy sets, takes off or goes by where it is a header, in whatever
// spelling and whoever sends it. in is the request's header, whose Connection names what is not for the upstream.
func (c Config) mayFollow(name string, in http.Header) bool {
	known := spelling(name)
	scope, _ := c.scopeHeader()
	switch {
	case !validHeader(name), early[known], tellsOrigin(known), known == spelling(scope), known == spelling(c.ChildKey):
		return false
	case slices.ContainsFunc(earlyKinds, func(kind string) bool { return strings.HasPrefix(known, kind) }):
		return false
	}
	for _, list := range in["Connection"] {
		for option := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(option), name) {
				return false
			}
		}
	}
	return true
}

// trailers are those of the request that the upstream may get, as far as they are known: before the body has been read, names without values.
func (c Config) trailers(in *http.Request) http.Header {
	out := make(http.Header, len(in.Trailer))
	for name, values := range in.Trailer {
		if c.mayFollow(name, in.Header) {
			out[name] = slices.Clone(values)
		}
	}
	return out
}

// openTrailers makes room for the trailers of a request in chunks, announced or not: net/http puts them where copies of r find them too.
func openTrailers(r *http.Request) {
	if r.Trailer == nil && len(r.TransferEncoding) > 0 {
		r.Trailer = make(http.Header)
	}
}

// trailKeyed lets the trailers of a request that has been read whole follow it.
func (c Config) trailKeyed(p *httputil.ProxyRequest) {
	if len(p.In.Trailer) == 0 {
		return
	}
	known := c.trailers(p.In)
	maps.DeleteFunc(known, func(_ string, values []string) bool { return len(values) == 0 })
	if len(known) > 0 {
		p.Out.Trailer, p.Out.TransferEncoding = known, []string{"chunked"} // HTTP/1.1 has trailers behind chunks only
	}
}

// trailStreamed lets trailers follow a body that is sent on while it comes.
func (c Config) trailStreamed(p *httputil.ProxyRequest) {
	if p.In.Trailer == nil || p.Out.Body == nil {
		return
	}
	announced := c.trailers(p.In)
	if p.Out.Trailer = announced; len(announced) > 0 {
		p.Out.TransferEncoding = []string{"chunked"}
	}
	p.Out.Body = &trailed{p.Out.Body, func() { maps.Copy(announced, c.trailers(p.In)) }}
}

// trailed is a body behind which there is something. Whoever sends it reads what at its end.
type trailed struct {
	io.ReadCloser
	ended func()
}

// Read implements [io.Reader].
func (t *trailed) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	if errors.Is(err, io.EOF) {
		t.ended()
	}
	return n, err
}
