package sidecar

import (
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strings"
	"time"

	"github.com/onceward/onceward"
)

// step is the name of the child key that the upstream gets.
const step = "upstream"

// forwarder passes requests on to the upstream, in both ways.
type forwarder struct {
	cfg     Config
	up      *upstream
	trusted peers
	log     *slog.Logger
	buffers *buffers
	replies replies
	streams *streams
}

// stream passes a request on untouched.
func (f *forwarder) stream() http.Handler {
	proxy := f.reverse(streaming{f.up}, func(p *httputil.ProxyRequest) {
		tunnels(p.Out.Header)
		f.cfg.trailStreamed(p)
		if f.cfg.ChildKey != "" {
			dropSpellings(p.Out.Header, f.cfg.ChildKey)
		}
	}, f.streams.began)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, done := f.streams.follow(w, r)
		defer done()
		proxy.ServeHTTP(w, r)
	})
}

// once passes on what the middleware has decided to carry out. The reply is read whole before it counts as one.
func (f *forwarder) once(maxReply int64, timeout time.Duration) http.Handler {
	proxy := f.reverse(once{f.up}, f.markKeyed, func(resp *http.Response) error { return f.readWhole(resp, maxReply) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		delete(r.Header, "Upgrade") // of what is no protocol at all ReverseProxy would make a failure
		p := passageOf(r.Context())
		p.begin(w, r.Body, timeout)
		proxy.ServeHTTP(&p.held, r)
	})
}

func (f *forwarder) reverse(transport http.RoundTripper, change func(*httputil.ProxyRequest), reply func(*http.Response) error) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(f.up.url)
			p.Out.URL.RawQuery = p.In.URL.RawQuery // also what ReverseProxy takes for malformed
			p.Out.Trailer = nil                    // change lets some of them pass
			if !f.cfg.RewriteHost {
				p.Out.Host = p.In.Host
			}
			f.cfg.putBack(p.Out.Header, p.In.Header)
			p.Out.Close = alone(p.Out) && f.up.transport.Protocols.HTTP1() // over HTTP/2 a body has its end
			forward(p, f.trusted)
			f.cfg.dropForeignScope(p.Out.Header, p.In, f.trusted)
			change(p)
		},
		ModifyResponse: reply,
		ErrorHandler:   f.failed,
		BufferPool:     f.buffers,
		ErrorLog:       log.New(io.Discard, "", 0), // failed says what matters
	}
}

// markKeyed adds the child key. Every retry gets the same reply, so it is asked for in the encoding that everybody reads.
func (f *forwarder) markKeyed(p *httputil.ProxyRequest) {
	h, values := p.Out.Header, new([2]string)
	values[0] = "identity"
	h["Accept-Encoding"] = values[:1:1]
	delete(h, "Expect") // the body is here already
	delete(h, "Http2-Settings")
	dropUpgrade(h) // another protocol cannot be repeated
	f.cfg.trailKeyed(p)
	if f.cfg.ChildKey == "" {
		return
	}
	dropSpellings(h, f.cfg.ChildKey)
	if child, err := onceward.Child(p.In.Context(), step); err == nil {
		values[1] = child.Text()
		h[http.CanonicalHeaderKey(f.cfg.ChildKey)] = values[1:]
	}
}

// Why a reply is not taken for whole.
var (
	errCut       = errors.New("the upstream's reply broke off")
	errNoEnd     = errors.New("the upstream's reply has no length and ends with the connection, so that nobody can tell whether it is whole: see close-delimited")
	errSwitching = errors.New("the upstream switched protocols, which cannot be repeated")
)

// readWhole reads the reply up to what is kept. One that breaks off is a doubt, and the client gets none of it. What is longer, and a stream of
// events, goes out as it comes.
func (f *forwarder) readWhole(resp *http.Response, maxReply int64) error {
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return errSwitching
	case endsWithConnection(resp) && !f.cfg.CloseDelimited:
		return errNoEnd
	}
	if resp.Body == http.NoBody {
		return nil
	}
	ctx := resp.Request.Context()
	passage, spent := passageOf(ctx), timerOf(ctx)
	out := &passage.leaving
	if isStream(resp) || resp.ContentLength > maxReply {
		resp.Body = &paced{ReadCloser: &reading{resp.Body, spent}, leaving: out}
		return nil
	}
	reply := f.replies.get(resp.ContentLength)
	began := time.Now()
	n, err := reply.buf.ReadFrom(io.LimitReader(resp.Body, maxReply+1))
	spent.add(time.Since(began))
	switch {
	case err != nil:
		return fmt.Errorf("%w after %d bytes: %w", errCut, n, err)
	case n > maxReply:
		rest := &reading{resp.Body, spent}
		resp.Body = &paced{leaving: out, ReadCloser: struct {
			io.Reader
			io.Closer
		}{io.MultiReader(reply.buf, rest), rest}}
		return nil
	}
	out.whole = true
	resp.Body.Close() // fills in the trailers
	if stillOpen(resp.Header, reply.buf.Bytes()) {
		passage.verdict.say(onceward.EndDoubt)
	}
	if len(resp.Trailer) == 0 {
		resp.ContentLength = n
	}
	resp.Body = reply
	return nil
}

// endsWithConnection reports whether nothing but the connection's end shows the reply's (RFC 9112 §6.3).
func endsWithConnection(resp *http.Response) bool {
	return resp.ProtoMajor == 1 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && resp.Body != http.NoBody && !resp.Uncompressed
}

func isStream(resp *http.Response) bool {
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream")
}

// failed answers where the upstream did not. That nothing was sent is said to the record: the key is free. Everything else is a doubt.
func (f *forwarder) failed(w http.ResponseWriter, r *http.Request, err error) {
	verdict := verdictOf(r.Context())
	verdict.say(onceward.EndDoubt)
	status, detail, level := http.StatusBadGateway, "The upstream failed, and nobody can tell whether it has carried the request out.", slog.LevelWarn
	on := streamedOf(r.Context())
	var unsent *unsentError
	switch {
	case errors.As(err, &unsent):
		verdict.say(onceward.EndFree)
		detail = "The upstream could not be connected to. It has seen nothing of this request."
		if !f.up.reached.Load() {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Retry-After", "1")
	case verdict != nil && r.Context().Err() != nil: // only its limit ends it, or a proof that another has the record
		status, detail = http.StatusGatewayTimeout, "The upstream took too long, and nobody can tell whether it has carried the request out."
	case on != nil && on.body.broken.Load():
		status, detail, level = http.StatusBadRequest, "The request's body cannot be read to its end. Trailers may have 4 KiB.", slog.LevelDebug // strangers cause it at will
	case errors.Is(err, errNoEnd):
		detail = "The upstream's reply has no length: nobody can tell whether it is whole."
	}
	if verdict != nil || r.Context().Err() == nil { // else the client has gone
		f.log.LogAttrs(r.Context(), level, "upstream failed", slog.Int("status", status), slog.String("error", Unquoted(err.Error())))
	}
	refuse(w, status, detail)
}

// quotation is what net/http repeats, in quotes, of a reply that it cannot read.
var quotation = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// Unquoted is what a library says, for the log, without what it quotes: net/http repeats what an upstream has sent.
func Unquoted(text string) string { return quotation.ReplaceAllString(text, `"…"`) }
