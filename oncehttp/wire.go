package oncehttp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
)

// wireRequest makes the request of one attempt.
//
// net/http sends a request with an Idempotency-Key again by itself, any number of times, if it has no body or GetBody is set.
// So GetBody is nil, and a request that has a key or is not safe has a body that is neither nil nor http.NoBody, also when it is
// empty. Without a key of ours, one in another header that net/http knows has the same effect. A GET or HEAD without a key, which has no effect,
// is left to net/http.
func (s *sending) wireRequest(ctx context.Context) (*http.Request, error) {
	op := s.op
	u := *op.url // some transports write to it, although they should not
	req := (&http.Request{
		Method: op.method, URL: &u, Host: op.host, Header: make(http.Header, len(op.header)+len(op.secrets)+2),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	// All attempts share the values, which nobody changes: a transport leaves a request as it is (http.RoundTripper), or sets fields anew.
	maps.Copy(req.Header, op.header)
	maps.Copy(req.Header, op.secrets)
	s.protocolHeaders(req.Header)
	if authorize := s.client.config.Authorize; authorize != nil {
		req.Header = req.Header.Clone()
		s.fillBody(req) // a signature may cover it
		if err := authorize(req); err != nil {
			return nil, err
		}
		if req.Header == nil {
			req.Header = http.Header{}
		}
		s.protocolHeaders(req.Header)
	}
	s.fillBody(req)
	return req, checkFields(req.Header)
}

func (s *sending) protocolHeaders(h http.Header) {
	if s.op.key.IsZero() {
		return
	}
	values := [...]string{formatKey(s.op.key), strconv.FormatInt(int64(math.Ceil(s.horizon.Seconds())), 10)}
	h[HeaderKey], h[HeaderHorizon] = values[:1:1], values[1:]
}

func (s *sending) fillBody(req *http.Request) {
	body := s.op.body
	req.GetBody, req.ContentLength, req.Body = nil, int64(len(body)), nil
	if len(body) == 0 && s.op.key.IsZero() && safe(s.op.method) {
		return
	}
	req.Body = io.NopCloser(bytes.NewReader(body)) // a type that net/http knows: head and body leave in one packet
	if len(body) == 0 {
		emptyBody(req)
	}
}

// emptyBody gives req a body of no bytes that net/http does not take for none.
func emptyBody(req *http.Request) {
	req.Body, req.ContentLength = newWhole(nil), 0
	// net/http takes length 0 with a body for "unknown" and would send it in chunks, which some servers refuse. "identity" prevents
	// the chunks; the header, in a spelling that net/http does not filter out, says what RFC 9110 §8.6 wants said.
	req.TransferEncoding = []string{"identity"}
	req.Header["content-length"] = []string{"0"}
}

// wireTrace counts what a transport really did in one attempt.
type wireTrace struct {
	wanted, got, wrote atomic.Int32
}

func (t *wireTrace) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { t.wanted.Add(1) },
		GotConn:      func(httptrace.GotConnInfo) { t.got.Add(1) },
		WroteHeaders: func() { t.wrote.Add(1) },
	})
}

// sends is how often the request went out. A transport that does not tell has sent it once if there is a reply.
func (t *wireTrace) sends(replied bool) int {
	n := int(t.wrote.Load())
	if replied {
		n = max(n, 1)
	}
	return n
}

// notSent says whether it is proven that the request did not leave: no connection was obtained, and either the transport is one that
// reports every connection it looks for and gets, or the error is of a kind that comes before a connection.
func (c *Client) notSent(err error, t *wireTrace) bool {
	if t.got.Load() > 0 || t.wrote.Load() > 0 {
		return false
	}
	return c.traced && t.wanted.Load() > 0 || beforeConnection(err)
}

func beforeConnection(err error) bool {
	var (
		op          *net.OpError
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
	)
	if errors.As(err, &op) {
		return op.Op == "dial" || op.Op == "proxyconnect"
	}
	return errors.As(err, &dns) || errors.As(err, &certificate) || errors.As(err, &record) ||
		errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid)
}
