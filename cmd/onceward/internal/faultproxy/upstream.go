package faultproxy

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// How the proxy talks to the upstream.
const (
	idleConns   = 512
	idleTime    = 3 * time.Second // less than most servers', because a request that meets a dying connection is not sent again
	dialTimeout = 5 * time.Second
	copyBuffer  = 32 << 10 // bytes
)

// newTransport takes no proxy from the environment: the upstream that was named is the one that is meant.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConns:        idleConns,
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     idleTime,
		DisableCompression:  true, // the client negotiates, not the proxy
		ForceAttemptHTTP2:   true,
	}
}

// newReverseProxy passes each request on as the client sent it, once. failed is told why the upstream did not answer.
func newReverseProxy(upstream *url.URL, keepHost bool, transport http.RoundTripper, failed func(error)) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(upstream)
			p.Out.URL.RawQuery = p.In.URL.RawQuery // also what ReverseProxy takes for malformed
			if keepHost {
				p.Out.Host = p.In.Host
			}
			keepForwarded(p)
			sendOnce(p.Out)
		},
		BufferPool: new(buffers),
		ErrorLog:   log.New(io.Discard, "", 0), // failed is told what matters
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // else the client has gone, or the proxy stops
				failed(err)
			}
			http.Error(w, "onceward faults: the upstream did not answer", http.StatusBadGateway)
		},
	}
}

// keepForwarded gives back what ReverseProxy takes off: this proxy stands for a cable, not for a gateway.
func keepForwarded(p *httputil.ProxyRequest) {
	for name, values := range p.In.Header {
		if name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-") {
			p.Out.Header[name] = values
		}
	}
}

// sendOnce takes net/http the means to send the request again by itself when a connection dies: that would be a duplicate which
// nobody asked for and no log shows. It does so with a request that has no body, or whose GetBody is set.
func sendOnce(r *http.Request) {
	r.GetBody = nil
	if r.Body != nil && r.Body != http.NoBody {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(""))
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		// net/http takes length 0 with a body for "unknown" and would send chunks. "identity" prevents that; the header, in a spelling
		// that net/http does not filter out, says what RFC 9110 §8.6 wants said.
		r.TransferEncoding = []string{"identity"}
		r.Header["content-length"] = []string{"0"}
	}
}

// buffers keeps the buffers in which replies are copied.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, copyBuffer)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// limit answers 503 when places is full, and tells refused. There is one place for each exchange under way.
func limit(places chan struct{}, next http.Handler, refused func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			next.ServeHTTP(w, r)
		default:
			refused()
			w.Header().Set("Retry-After", "1")
			http.Error(w, "onceward faults: too many exchanges under way", http.StatusServiceUnavailable)
		}
	})
}
