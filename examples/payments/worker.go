package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/onceward/onceward/oncehttp"
)

// worker empties the outbox. Any number of them may run; each payout is paid once, because the provider knows its key.
type worker struct {
	ledger ledger
	client *oncehttp.Client // sends again by itself, under the same key, until the provider has answered or its attempts are used up
	url    string           // of the provider
}

// next tries one payout that is due, and reports whether there was one.
//
// Only the provider's own answer settles a payout. Whatever else happens – no reply, a 5xx, a crash of this process – it stays pending and is tried again
// under the same key. A timeout is not a no: whoever gives the money back then, gives it twice.
func (w *worker) next(ctx context.Context) (found bool, err error) {
	p, found, err := w.ledger.due(ctx)
	if err != nil || !found {
		return found, err
	}
	req, err := w.request(ctx, p)
	if err != nil {
		return true, err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return true, nil // nobody knows yet, and the row in the outbox says so
	}
	defer resp.Body.Close()
	var answer struct {
		Payment string `json:"payment"`
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return true, err
	}
	_ = json.Unmarshal(body, &answer) // a refusal has another form
	switch {
	case resp.StatusCode/100 == 2:
		return true, w.ledger.settle(ctx, p, settlement{State: paid, Payment: answer.Payment})
	case resp.StatusCode == http.StatusPaymentRequired: // this provider's way to say: declined
		return true, w.ledger.settle(ctx, p, settlement{State: declined})
	}
	return true, nil
}

func (w *worker) request(ctx context.Context, p payout) (*http.Request, error) {
	body, err := json.Marshal(order{To: p.To, Cents: p.Cents, Reference: p.Reference})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(oncehttp.HeaderKey, p.Key) // minted with the payout, not here: every try has the same
	return req, nil
}
