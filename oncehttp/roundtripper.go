package oncehttp

import (
	"errors"
	"net/http"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// RoundTripper returns the client as an http.RoundTripper, for code that wants an *http.Client. Each RoundTrip is a [Client.Do]: it ends when the fate
// is known or the client gives up. Prefer Do where you can; the interface has these limits:
//
//   - A reply can break off in its body, after RoundTrip has returned. So the body is read whole before that, up to ClientConfig.MaxReply:
//     it is not for streams.
//   - It has a response or an error, not both. A reply of 400 or more that proves that nothing took effect comes as a response, as a caller of http.Client expects.
//     Whatever leaves the fate unknown is an error, also if a reply came, and so is the end of an operation that was executed and whose reply
//     is gone. [errors.As] finds the *[UnknownOutcomeError] in what http.Client returns.
//   - The operation cannot be saved before it is sent. If the process dies, its key is lost, and nobody can send it again.
//   - http.Client follows redirects above it: each is an operation of its own, and a key of the caller's own goes along and is refused
//     there. Set CheckRedirect to return http.ErrUseLastResponse. Its Timeout bounds all attempts together.
func (c *Client) RoundTripper() http.RoundTripper { return operations{c} }

// operations makes each RoundTrip an operation.
type operations struct{ client *Client }

func (o operations) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := o.client.Do(req)
	if err != nil && !speaksForItself(resp, err) {
		return nil, err
	}
	resp.Request = req
	return resp, nil
}

// CloseIdleConnections is what http.Client's method of this name calls.
func (o operations) CloseIdleConnections() { o.client.CloseIdleConnections() }

// speaksForItself says whether a reader of resp knows all that err says: it is the reply of the last attempt, and nobody takes it for a success.
func speaksForItself(resp *http.Response, err error) bool {
	var e *retry.Error
	if resp == nil || resp.StatusCode < 400 || !errors.As(err, &e) || e.Fate() != onceward.NotExecuted || len(e.Attempts) == 0 {
		return false
	}
	var reply *ReplyError
	return errors.As(e.Attempts[len(e.Attempts)-1].Err, &reply)
}
