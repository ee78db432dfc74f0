package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/onceward/onceward"
)

// naive is a client as people write it: it tries again when it sees an error, and thinks that what it did not see did not happen.
type naive struct {
	trial  *trial
	url    string
	client *http.Client
}

func newNaive(t *trial) func(string) (sender, error) {
	return func(url string) (sender, error) {
		return &naive{trial: t, url: url, client: &http.Client{Transport: newTransport(), Timeout: attemptTimeout}}, nil
	}
}

func (n *naive) send(ctx context.Context, t transfer) error {
	clock := n.trial.cfg.Clock
	start := clock.Monotonic()
	for attempt := 1; ; attempt++ {
		err := n.post(ctx, t)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the trial is over
		case err == nil:
			n.trial.testify(t.number, "", onceward.Executed)
			n.trial.settle(t.number, start, "reports: done")
			return nil
		case attempt == attempts:
			n.trial.gaveUp.Add(1)
			n.trial.testify(t.number, "", onceward.NotExecuted)
			n.trial.settle(t.number, start, "reports: failed")
			return nil
		}
		wait := min(backoffCap, backoffBase<<(attempt-1))
		_ = clock.Sleep(ctx, time.Duration(n.trial.cfg.Rand()*float64(wait))) // the next post sees that ctx has ended
	}
}

// post sends the transfer once.
func (n *naive) post(ctx context.Context, t transfer) error {
	n.trial.sends.Add(1)
	req, err := newRequest(ctx, n.url, t)
	if err != nil {
		return err
	}
	resp, err := n.client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode >= 500 {
			err = fmt.Errorf("the server answered %s", resp.Status)
		}
	}
	end := event{step: stepEnded, failed: err != nil}
	if err != nil {
		end.text = howItFailed(err)
	}
	n.trial.diary.note(t.number, end)
	return err
}

// resend has nothing to do: what failed is forgotten.
func (n *naive) resend(context.Context) error { return nil }

func (n *naive) resendAll(context.Context) error { return nil }

func (n *naive) close() { n.client.CloseIdleConnections() }

// newRequest is the request of either client. Who wants a key adds it.
func newRequest(ctx context.Context, url string, t transfer) (*http.Request, error) {
	body, err := json.Marshal(order{Transfer: t.name(), From: t.from, To: t.to, Amount: t.amount})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(headerTransfer, t.name())
	return req, nil
}

// What a client knows after an attempt without a reply.
const (
	endCutOff   = "cut off: done or not?"
	endTimedOut = "late: done or not?"
)

// howItFailed says for the picture how an attempt without a reply ended.
func howItFailed(err error) string {
	var failed *url.Error
	switch {
	case errors.As(err, &failed) && failed.Timeout():
		return endTimedOut
	case errors.As(err, &failed):
		return endCutOff
	}
	return "refused"
}
