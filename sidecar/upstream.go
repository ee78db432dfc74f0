package sidecar

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// upstream is the protected service.
type upstream struct {
	url       *url.URL
	transport *http.Transport
	reached   atomic.Bool // it has been connected to once
}

func newUpstream(c Config) (*upstream, error) {
	u, err := c.upstream()
	if err != nil {
		return nil, err
	}
	h2c := u.Scheme == "h2c"
	dialer := &net.Dialer{Timeout: c.DialTimeout}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &watchedConn{Conn: conn, shared: h2c}, nil
		},
		MaxIdleConns:           c.MaxInFlight,
		MaxIdleConnsPerHost:    c.MaxInFlight,
		IdleConnTimeout:        c.UpstreamIdle,
		TLSHandshakeTimeout:    c.DialTimeout,
		MaxResponseHeaderBytes: int64(c.MaxHeader),
		DisableCompression:     true, // the client negotiates, not the proxy
		Protocols:              new(http.Protocols),
	}
	if h2c {
		plain := *u
		plain.Scheme, u = "http", &plain
		t.Protocols.SetUnencryptedHTTP2(true)
	} else {
		t.Protocols.SetHTTP1(true)
		t.Protocols.SetHTTP2(u.Scheme == "https")
	}
	return &upstream{url: u, transport: t}, nil
}

// address is where connections go.
func (u *upstream) address() string {
	port := u.url.Port()
	switch {
	case port != "":
	case u.url.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.url.Hostname(), port)
}

// check reports whether the upstream takes connections.
func (u *upstream) check(ctx context.Context) error {
	conn, err := u.transport.DialContext(ctx, "tcp", u.address())
	if err != nil {
		return err
	}
	return conn.Close()
}

func (u *upstream) sawConnection() { u.reached.Store(true) }

// streaming passes a request on that is not keyed. Its body streams; net/http may repeat it only if it is safe (RFC 9110 §9.2.1).
type streaming struct{ *upstream }

func (s streaming) RoundTrip(r *http.Request) (*http.Response, error) {
	if !safe(r.Method) {
		sendOnce(r) // it is the reverse proxy's copy
	}
	seen := &sight{onConn: s.sawConnection}
	resp, err := s.transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), seen.trace())))
	if err != nil && !seen.connected() {
		return nil, &unsentError{err}
	}
	return resp, err
}

// unsentError says that the upstream has seen nothing of the request.
type unsentError struct{ cause error }

func (e *unsentError) Error() string {
	return "the upstream was not connected: " + e.cause.Error()
}
func (e *unsentError) Unwrap() error { return e.cause }

// once passes a keyed request on, at most once.
type once struct{ *upstream }

// redials is how often a connection that closed before anything was sent is replaced.
const redials = 2

// RoundTrip sends the request. A kept connection may turn out to be closing; if it is proven that nothing has been sent, another is tried. An
// unsentError holds that proof, every other error is a doubt.
func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := bodiesOf(r)
	if err != nil {
		return nil, &unsentError{err}
	}
	spent := timerOf(r.Context())
	for try := 0; ; try++ {
		seen := &sight{onConn: o.sawConnection}
		out := r.WithContext(httptrace.WithClientTrace(r.Context(), seen.trace()))
		out.Body = body()
		sendOnce(out)
		began := time.Now()
		resp, err := o.transport.RoundTrip(out)
		spent.add(time.Since(began))
		switch {
		case err == nil:
			return resp, nil
		case !seen.unsent():
			return nil, err
		case !seen.connected() || try == redials || r.Context().Err() != nil:
			return nil, &unsentError{err}
		}
	}
}

// bodiesOf returns a function that makes a body for each attempt: what a transport has given up may still be reading the last one.
func bodiesOf(r *http.Request) (func() io.ReadCloser, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return func() io.ReadCloser { return http.NoBody }, nil
	}
	if p := passageOf(r.Context()); p != nil && p.body != nil && r.ContentLength > inOnePacket {
		return func() io.ReadCloser { return io.NopCloser(io.NewSectionReader(p.body, 0, r.ContentLength)) }, nil
	}
	all := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, all); err != nil {
		return nil, fmt.Errorf("the request's body: %w", err)
	}
	return func() io.ReadCloser { return io.NopCloser(bytes.NewReader(all)) }, nil // a type that net/http knows: head and body leave together
}

// inOnePacket is up to how many bytes a body is copied so that it leaves together with its head.
const inOnePacket = 64 << 10

// sendOnce takes net/http the means to send the request again by itself when a connection dies. It does so with a request that has no body, or
// whose GetBody is set, if the method is idempotent or there is an Idempotency-Key.
func sendOnce(r *http.Request) {
	r.GetBody = nil
	if r.Body != nil && r.Body != http.NoBody {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(""))
	if r.Trailer != nil {
		return
	}
	// net/http takes length 0 with a body for "unknown" and would send chunks. "identity" prevents that; the header, in a spelling that net/http does not
	// filter out, says what RFC 9110 §8.6 wants said of some methods.
	r.TransferEncoding = []string{"identity"}
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		r.Header["content-length"] = []string{"0"}
	}
}
