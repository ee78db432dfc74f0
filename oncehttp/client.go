package oncehttp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// Client sends requests until their fate is known, each under one key, however often replies get lost.
// It is immutable and safe for concurrent use.
//
// It follows no redirects and keeps no cookies: both belong to a person's browsing, not to an operation.
type Client struct {
	config ClientConfig
	loop   *retry.Loop
	traced bool // the transport reports its connections truly
}

// NewClient returns a Client or all faults of its configuration.
func NewClient(config ClientConfig) (*Client, error) {
	config = config.withDefaults()
	loop, err := retry.New(retry.Config{
		Policy: config.Policy, Budget: config.Budget, Window: config.Window,
		Clock: config.Clock, Rand: config.Rand, Observer: config.Observer,
	})
	if err := errors.Join(config.validate(), err); err != nil {
		return nil, err
	}
	_, traced := config.Transport.(*http.Transport)
	return &Client{config: config, loop: loop, traced: traced}, nil
}

// Do prepares req and sends it under req's context. It is for callers that may forget the operation when their process dies;
// others use Prepare, save the operation, and Send it. What it returns is what [Client.Send] returns.
//
// GET and HEAD without a key of the caller's own get none: they are safe (RFC 9110 §9.2.1) and are repeated as they are.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	op, err := c.Prepare(req)
	if err != nil {
		return nil, err
	}
	return c.Send(req.Context(), op)
}

// Send sends the operation, for the first time or after a crash, until its fate is known or the policy, ctx, the budget, the horizon
// or the window ends it. Several Sends of one operation may run at the same time.
//
// A nil error means: executed, and the response is the operation's reply, whatever its status. The whole body has been
// read; closing it is harmless and not needed. Any other end is an error, of which [onceward.FateOf] tells the fate, with the last response
// that arrived whole, or nil: an *[UnknownOutcomeError], which has the operation, if the fate is Unknown; otherwise a *[retry.Error]. An error can also
// mean that the operation was executed and its reply is gone.
//
// For a safe operation, which has no effect, every whole last reply comes with a nil error, and every error is a *[retry.Error].
func (c *Client) Send(ctx context.Context, op *Operation) (*http.Response, error) {
	if op == nil || op.url == nil {
		return nil, retry.Refused(onceward.Key{}, errNoOperation, "make it with Prepare, or read a saved one")
	}
	facts := op.facts()
	s := sending{client: c, op: op}
	facts.History.Anchor(c.config.Clock)
	s.horizon = c.loop.Until(facts.History)
	resp, err := retry.Do(ctx, c.loop, facts, s.attempt)
	return resp, unknownOutcome(op, facts.Kind, err)
}

// Horizon is the longest time for which one Send goes on.
func (c *Client) Horizon() time.Duration { return c.config.Policy.Horizon() }

// CloseIdleConnections closes the transport's connections that are not in use.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.config.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
