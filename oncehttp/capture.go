package oncehttp

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/onceward/onceward"
)

// capture is the http.ResponseWriter of a keyed handler. It keeps the reply; bytes go out before the handler has ended only if it flushes, or if
// the reply outgrows what is kept. A client that is gone is never the handler's concern: writes always succeed.
//
// It is no http.Hijacker and does not unwrap: a connection taken over could not be saved. Unlike its header, it is safe for concurrent use, also
// by goroutines that the handler has left behind: the record must not change under them.
type capture struct {
	out      http.ResponseWriter
	maxReply int
	http2    bool
	chunks   bool        // HTTP/1.1
	header   http.Header // the handler's own; after WriteHeader only trailers are read off it

	mu       sync.Mutex
	mayLeave bool        // bytes may go out before the record is done
	buffered bool        // none may, whatever happens
	ended    bool        // the handler has returned: the fields are the middleware's alone
	before   http.Header // out's header as outer middleware left it, once it has been changed; see outer
	fixed    http.Header // header as of WriteHeader
	trailer  http.Header // as of the handler's end
	status   int         // zero: not written yet
	declared int64       // Content-Length as the handler announced it; -1: none
	written  int64
	body     []byte // what is kept, or in overflow what has not gone out yet
	sent     int    // bytes of body that have gone out
	live     bool   // the header has gone out
	overflow bool   // the reply is too large to keep
	dropped  bool   // and nothing of it may leave early, so that nobody gets it
	room     snapshotRoom
}

// begin makes c the writer for one run. Before HTTP/1.1 a reply without a length that was cut looks like one that has ended, so nothing leaves early.
func (c *capture) begin(out http.ResponseWriter, r *http.Request, a onceward.Attempt) {
	c.out, c.maxReply, c.declared = out, a.MaxReply, -1
	c.http2, c.chunks = r.ProtoMajor >= 2, r.ProtoMajor == 1 && r.ProtoMinor >= 1
	c.buffered, c.mayLeave = a.Buffered, !a.Buffered && r.ProtoAtLeast(1, 1)
	c.header = make(http.Header)
	for name, values := range out.Header() {
		if name != HeaderWindow { // ours, whatever the handler does
			c.header[name] = slices.Clone(values)
		}
	}
}

// outer is out's header as outer middleware left it: its own until something has gone out.
func (c *capture) outer() http.Header {
	if c.before != nil {
		return c.before
	}
	return c.out.Header()
}

// keepOuter is called before out's header is changed.
func (c *capture) keepOuter() {
	if c.before == nil {
		c.before = c.out.Header().Clone()
	}
}

// Header is the handler's header map.
func (c *capture) Header() http.Header { return c.header }

// WriteHeader fixes status and header. An informational status goes out at once and is not kept (RFC 9110 §15.2).
func (c *capture) WriteHeader(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeHeader(status)
}

func (c *capture) writeHeader(status int) {
	switch {
	case c.status != 0 || c.ended:
		return
	case status < 100 || status > 999: // net/http's rule; found now, it is the handler's panic and not the record's reply for ever
		panic(fmt.Sprintf("oncehttp: invalid WriteHeader code %v", status))
	case status < 200 && status != http.StatusSwitchingProtocols:
		if c.mayLeave {
			c.keepOuter()
			replaceHeader(c.out.Header(), c.header)
			c.out.WriteHeader(status)
			replaceHeader(c.out.Header(), c.before)
		}
		return
	}
	c.status, c.fixed = status, c.room.snapshot(c.header)
	if c.fixed.Get("Transfer-Encoding") != "" { // "identity" ends with the connection: a cut would look like the end
		c.mayLeave = false
	}
	if len(c.fixed["Trailer"]) > 0 {
		c.fixed["Trailer"] = announcedTrailers(c.fixed)
	}
	if length := c.header.Get("Content-Length"); length != "" {
		if n, err := strconv.ParseInt(length, 10, 64); err == nil && n >= 0 {
			c.declared = n
		}
	}
}

// errEnded is for goroutines that outlive their handler.
var errEnded = errors.New("oncehttp: Write after the handler has returned")

// Write keeps p.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == 0 {
		c.writeHeader(http.StatusOK)
	}
	switch {
	case c.ended:
		return 0, errEnded
	case !bodyAllowed(c.status):
		return 0, http.ErrBodyNotAllowed
	case c.declared >= 0 && c.written+int64(len(p)) > c.declared:
		return 0, http.ErrContentLength
	}
	c.written += int64(len(p))
	if !c.dropped {
		c.keep(p)
	}
	return len(p), nil
}

// keep appends p to what is kept. What is too long for that goes out as it comes. Where it must not, because a client of HTTP/1.0 would take a
// cut for the end, it is given up: memory is for what can be kept.
func (c *capture) keep(p []byte) {
	if c.body == nil && c.declared > int64(len(p)) && c.declared <= int64(c.maxReply) {
		c.body = make([]byte, 0, c.declared)
	}
	c.body = append(c.body, p...)
	switch {
	case len(c.body) <= c.maxReply || c.buffered:
	case c.mayLeave, c.declared >= 0 && c.fixed.Get("Transfer-Encoding") == "":
		c.overflow = true
		c.push()
		c.body, c.sent = append(c.body[:0], c.body[c.sent:]...), 0
	default:
		c.overflow, c.dropped, c.body = true, true, nil
	}
}

// FlushError sends what has been written so far, but never the end of the reply. It is [http.ErrNotSupported] where nothing may leave before
// the record is done.
func (c *capture) FlushError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return errEnded
	case !c.mayLeave:
		return http.ErrNotSupported
	case c.status == 0:
		c.writeHeader(http.StatusOK)
	}
	c.push()
	if c.live {
		_ = http.NewResponseController(c.out).Flush() // the client may be gone
	}
	return nil
}

// Flush implements [http.Flusher].
func (c *capture) Flush() { _ = c.FlushError() }

// push sends what has not gone out. Of a reply whose length is announced the last byte stays here: with it the client would take the reply for
// whole. Otherwise the end of the body is the end of the handler, which is ours.
func (c *capture) push() {
	if !bodyAllowed(c.status) || c.declared == 0 {
		return // the header would be the whole reply
	}
	c.sendHeader("")
	end := len(c.body)
	if c.declared >= 0 && c.written == c.declared && end > c.sent {
		end--
	}
	_, _ = c.out.Write(c.body[c.sent:end])
	c.sent = end
}

// sendHeader sends status and header, once.
func (c *capture) sendHeader(mark string) {
	if c.live {
		return
	}
	c.live = true
	c.sniff()
	c.ours(mark)
	if !c.ended { // what is kept is not known yet
		c.keepOuter()
	}
	replaceHeader(c.out.Header(), c.fixed)
	if mark == "" && c.canTrail() { // what becomes of the reply is known at its end only
		c.out.Header().Add("Trailer", HeaderOutcome)
	}
	c.out.WriteHeader(c.status)
}

// sniff does what net/http would: the type must be the same in a replay, whatever goes out in one piece.
func (c *capture) sniff() {
	if c.fixed.Get("Content-Type") == "" && c.fixed.Get("Content-Encoding") == "" && len(c.body) > 0 {
		if _, off := c.fixed["Content-Type"]; !off {
			c.fixed.Set("Content-Type", http.DetectContentType(c.body))
		}
	}
}

// close ends the capture when the handler has returned or panicked.
func (c *capture) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if c.status == 0 {
		c.writeHeader(http.StatusOK)
	}
	if !c.live {
		c.sniff()
	}
	c.trailer, c.ended = trailersOf(c.header, c.fixed), true
}

// whole reports whether the body is as long as the handler said. What a connection is switched to is none.
func (c *capture) whole() bool {
	if c.status == http.StatusSwitchingProtocols {
		return false
	}
	return c.declared < 0 || c.written == c.declared || !bodyAllowed(c.status)
}

// reply is what is kept.
func (c *capture) reply(k kept) onceward.Reply {
	return onceward.Reply{
		Status:  c.status,
		Header:  k.fields(c.room.fields[:0], c.fixed, c.outer()),
		Body:    c.body,
		Trailer: k.fields(nil, c.trailer, nil),
	}
}

// canTrail reports whether trailers can follow the body (RFC 9112 §7.1.2, RFC 9113 §8.1).
func (c *capture) canTrail() bool { return c.http2 || c.chunks && c.declared < 0 }

// bare reports whether nothing but the connection's end would show that the reply, which is here whole, has arrived whole: to a client of HTTP/1.0
// a part of it would look like all of it.
func (c *capture) bare(began bool) bool {
	return !began && !c.chunks && !c.http2 && c.declared < 0 && !c.dropped && bodyAllowed(c.status) && c.fixed.Get("Transfer-Encoding") == ""
}

// finish sends what has not gone out, with the trailers, now that it may.
func (c *capture) finish(mark string) {
	began := c.live
	announced := announcedTrailers(c.fixed)
	if !began && len(c.trailer) > 0 && c.canTrail() { // net/http would send a trailer that is not announced only after a flush
		for _, name := range slices.Sorted(maps.Keys(c.trailer)) {
			if !slices.Contains(announced, name) {
				announced = append(announced, name)
				c.fixed.Add("Trailer", name)
			}
		}
	}
	if c.bare(began) {
		c.fixed.Set("Content-Length", strconv.Itoa(len(c.body)))
	}
	c.sendHeader(mark)
	_, _ = c.out.Write(c.body[c.sent:])
	h := c.out.Header()
	for name, values := range c.trailer {
		if !slices.Contains(announced, name) {
			name = http.TrailerPrefix + name
		}
		h[name] = values
	}
	if began && c.canTrail() {
		h[HeaderOutcome] = c.room.marked(mark)
	}
}

// forget gives back what only one request at a time needs. Nothing may be read off the capture afterwards.
func (c *capture) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	recycle(c.fixed)
	c.fixed = nil
}

// ours sets the protocol's own headers: what an inner service says of another operation must not be taken for a word of ours.
func (c *capture) ours(mark string) {
	c.fixed.Del(HeaderReplayed)
	c.fixed.Del(HeaderOutcome)
	if mark != "" {
		c.fixed[HeaderOutcome] = c.room.marked(mark)
	}
	c.fixed.Del(HeaderWindow)
	if window := c.outer()[HeaderWindow]; len(window) > 0 {
		c.fixed[HeaderWindow] = window
	}
}

// replaceHeader makes h equal to with.
func replaceHeader(h, with http.Header) {
	clear(h)
	for name, values := range with {
		h[name] = values
	}
}

// bodyAllowed is RFC 9110 §6.4.1.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
