package oncehttp

import (
	"context"
	"net/http"
	"time"

	"github.com/onceward/onceward/retry"
)

// sending is one Send of an operation.
type sending struct {
	client  *Client
	op      *Operation
	horizon time.Duration // the key's age up to which this Send may go on
}

// attempt sends the request once and reads the whole reply: replies get lost after their headers too.
func (s *sending) attempt(ctx context.Context, _ int) (*http.Response, retry.Ending) {
	var trace wireTrace
	req, err := s.wireRequest(trace.watch(ctx))
	if err != nil {
		return nil, retry.Ending{End: retry.EndRefusedHere, Err: err}
	}
	resp, err := s.client.config.Transport.RoundTrip(req)
	if err != nil {
		ending := retry.Interrupted(ctx, err, s.client.notSent(err, &trace))
		ending.Sends = trace.sends(false)
		return nil, ending
	}
	resp, ending := s.client.readReply(ctx, resp)
	ending.Sends = trace.sends(true)
	return resp, ending
}

// readReply reads the reply whole and says what it means. The body is closed in every case; one over the limit is not drained,
// which costs the connection instead of the time.
func (c *Client) readReply(ctx context.Context, resp *http.Response) (*http.Response, retry.Ending) {
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols { // its body is the bare connection, which knows no context
		return nil, c.withHeaders(retry.Ending{End: retry.EndOddStatus, Err: &ReplyError{Status: resp.StatusCode}}, resp.Header)
	}
	body, whole, err := readBounded(resp.Body, resp.ContentLength, c.config.MaxReply)
	if err != nil {
		ending := retry.Interrupted(ctx, err, false)
		if ending.End == retry.EndCutOff {
			ending.End = retry.EndReplyCut
		}
		return nil, c.withHeaders(ending, resp.Header)
	}
	if !whole {
		return nil, c.withHeaders(retry.Ending{End: tooLarge(resp)}, resp.Header)
	}
	ending := c.withHeaders(replyEnding(resp, body), resp.Header)
	ending.Replied = true
	resp.Body, resp.ContentLength = newWhole(body), contentLength(resp, body)
	return resp, ending
}

// contentLength is the body's, but for a HEAD, whose header speaks of a body that is not sent (RFC 9110 §9.3.2).
func contentLength(resp *http.Response, body []byte) int64 {
	if len(body) == 0 && resp.Request != nil && resp.Request.Method == http.MethodHead {
		return resp.ContentLength
	}
	return int64(len(body))
}

// withHeaders adds what headers say whatever became of the body.
func (c *Client) withHeaders(e retry.Ending, h http.Header) retry.Ending {
	if window, ok := retry.ParseSeconds(h.Get(HeaderWindow)); ok {
		e.Window = window
	}
	after := h.Get("Retry-After")
	if after == "" {
		return e
	}
	// Counting from the server's own date, a difference between the clocks does no harm.
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = c.config.Clock.Now()
	}
	if pause, ok := retry.ParseRetryAfter(after, now); ok {
		e.RetryAfter = pause
	}
	return e
}
