package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// request is a client's order, on its way to path.
func (s *walk) request(ctx context.Context, path string, o order) (*http.Request, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(headerCustomer, o.From)
	return req, nil
}

// send is one operation, from its key to its end.
func (s *walk) send(ctx context.Context, path string, o order) (*oncehttp.Operation, error) {
	req, err := s.request(ctx, path, o)
	if err != nil {
		return nil, err
	}
	op, err := s.client.Prepare(req)
	if err != nil {
		return nil, err
	}
	s.say("client", "POST %s: %s pays %s to %s for %q, key %s", path, o.From, money(o.Cents), o.To, o.Reference, op.Key())
	return op, s.again(ctx, op)
}

// again sends the operation, and tells how it ended.
func (s *walk) again(ctx context.Context, op *oncehttp.Operation) error {
	resp, err := s.client.Send(ctx, op)
	if resp != nil {
		defer resp.Body.Close()
	}
	s.say("client", "%s", ended(resp, err))
	return err
}

// ended says in a line what a client knows.
func ended(resp *http.Response, err error) string {
	text := "no reply"
	if resp != nil {
		body, _ := io.ReadAll(resp.Body) // it is in memory
		text = fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(body)))
		var p oncehttp.Problem
		if strings.HasPrefix(resp.Header.Get("Content-Type"), oncehttp.ProblemType) && json.Unmarshal(body, &p) == nil {
			text = fmt.Sprintf("%d %s, safe_new_key %v", p.Status, strings.TrimPrefix(p.Type, oncehttp.ProblemBase), p.SafeNewKey)
		}
		if resp.Header.Get(oncehttp.HeaderReplayed) == "true" {
			text += ", replayed"
		}
	}
	if err != nil {
		text += "; its fate: " + onceward.FateOf(err).String()
	}
	return text
}
