package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/onceward/onceward/oncehttp"
)

// maxAnswer is more than a page of the longest records, or an operation with the largest reply that a server keeps.
const maxAnswer = 256 << 20

// Config is where to ask, and as whom.
type Config struct {
	Address string        // http://…, https://… or unix:/path/to/socket, with :/path behind it
	Actor   string        // what [oncehttp.HeaderActor] says; the server need not believe it
	Header  http.Header   // sent with every request: what the server's own login wants
	Timeout time.Duration // of one request
}

// Client asks one admin API.
type Client struct {
	cfg  Config
	base *url.URL
	http *http.Client
}

// New returns a client. It does not connect.
func New(cfg Config) (*Client, error) {
	at, err := parseAddress(cfg.Address)
	if err != nil {
		return nil, err
	}
	// What is behind a redirect was not asked for, and must not get a login or a key.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{cfg: cfg, base: at.base, http: &http.Client{Transport: at.transport(), CheckRedirect: stay, Timeout: cfg.Timeout}}, nil
}

// ask sends a request and reads the JSON of its answer. A body makes it a decision.
func (c *Client) ask(ctx context.Context, route string, query url.Values, header http.Header, body, into any) error {
	u := *c.base
	u.Path, u.RawQuery = u.Path+route, query.Encode()
	method, content := http.MethodGet, []byte(nil)
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return &Failure{Kind: Wrong, Detail: "the decision cannot be written as JSON", Err: err}
		}
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(content))
	if err != nil {
		return &Failure{Kind: Wrong, Detail: "there can be no such request", Err: err}
	}
	for _, from := range []http.Header{c.cfg.Header, header} {
		for name, values := range from {
			r.Header[name] = values
		}
	}
	r.Header.Set(oncehttp.HeaderActor, c.cfg.Actor)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return unanswered(method, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return unanswered(method, err)
	}
	return c.read(answer, method, text, into)
}

// unanswered says what the lack of an answer means. Where no connection was made nothing was sent. The URL stays out of the text: it names principals.
func unanswered(method string, err error) *Failure {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	dialled := errors.As(err, &op) && op.Op == "dial"
	if method == http.MethodGet || dialled {
		return &Failure{Kind: NoAnswer, Detail: "the admin API does not answer; nothing was changed", Err: err}
	}
	return &Failure{Kind: Uncertain, Detail: "the decision was sent and its answer is missing: it may or may not have been carried out; look again", Err: err}
}

// read takes an answer for what it is.
func (c *Client) read(answer *http.Response, method string, text []byte, into any) error {
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	status := answer.StatusCode
	if status == http.StatusOK {
		err := json.Unmarshal(text, into)
		if err == nil && media != "application/json" {
			err = fmt.Errorf("its Content-Type is %q", media)
		}
		if err == nil {
			return nil
		}
		return stranger(method, status, err)
	}
	var p oncehttp.AdminProblem
	if media != oncehttp.ProblemType || json.Unmarshal(text, &p) != nil {
		return stranger(method, status, nil)
	}
	f := &Failure{Detail: Plain(p.Detail), Record: p.Record}
	if p.Detail == "" {
		f.Detail = fmt.Sprintf("the server answers with status %d", status)
	}
	switch {
	case status == http.StatusConflict:
		f.Kind = Conflict
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		f.Kind = Forbidden
	case status == http.StatusNotFound && answer.Request.URL.Path == c.base.Path+routeKeys:
		f.Kind = Missing
	case status < 500:
		f.Kind = Wrong
	default:
		f.Kind = failed(method)
	}
	return f
}

// stranger is an answer that no admin API gives: of a gateway in front of it, or of another service.
func stranger(method string, status int, err error) *Failure {
	f := &Failure{Kind: Wrong, Detail: fmt.Sprintf("what answers there, with status %d, is no admin API: look at the address, and at its path", status), Err: err}
	switch {
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		f.Kind, f.Detail = Forbidden, fmt.Sprintf("something in front of the admin API does not let this caller in (status %d)", status)
	case status < 300 || status >= 500:
		f.Kind = failed(method)
	}
	return f
}

// failed is the kind of a failure on the server's side.
func failed(method string) Kind {
	if method == http.MethodGet {
		return NoAnswer
	}
	return Uncertain
}
