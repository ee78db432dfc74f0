package oncehttp

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// Prepare freezes req as an operation: its key, minted here and now unless req carries one, and a copy of everything that is sent. It reads
// and closes req's body. An error is a *[retry.Error] with the fate NotExecuted.
func (c *Client) Prepare(req *http.Request) (*Operation, error) {
	op, err := c.freeze(req)
	if err != nil {
		return nil, retry.Refused(op.key, err, "nothing was sent; correct the request")
	}
	return op, nil
}

// freeze returns an operation also with an error, for its key.
func (c *Client) freeze(req *http.Request) (*Operation, error) {
	op := &Operation{method: req.Method, host: req.Host, header: canonical(req.Header)}
	body, err := c.snapshot(req) // first: it closes the body, whatever else is wrong
	if op.method == "" {
		op.method = http.MethodGet
	}
	err = errors.Join(err, op.takeURL(req.URL), c.takeKey(op), checkFields(op.header))
	if len(req.Trailer) > 0 {
		err = errors.Join(err, errRequestTrailer)
	}
	if !savable(op.header) || !utf8.ValidString(op.host) {
		err = errors.Join(err, errHeaderText)
	}
	if err != nil {
		return op, err
	}
	op.takeSecrets(c.config.Secrets)
	op.header.Del(HeaderHorizon)
	op.body, op.sum = body, sha256.Sum256(body)
	op.history = retry.NewHistory(op.mintedAt, false)
	op.history.Anchor(c.config.Clock)
	return op, nil
}

// snapshot reads the body whole and bounded: what the caller does to it later reaches no attempt.
func (c *Client) snapshot(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	if req.ContentLength > c.config.MaxBody {
		return nil, fmt.Errorf("%w: it has %d bytes, MaxBody is %d", onceward.ErrBodyTooLarge, req.ContentLength, c.config.MaxBody)
	}
	body, whole, err := readBounded(req.Body, req.ContentLength, c.config.MaxBody)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errRequestBody, err)
	case !whole:
		return nil, fmt.Errorf("%w: MaxBody is %d", onceward.ErrBodyTooLarge, c.config.MaxBody)
	case req.ContentLength > 0 && int64(len(body)) != req.ContentLength:
		return nil, errBodyLength
	}
	return body, nil
}

// readBounded reads at most limit bytes; whole is false if there are more. What the other side claims to send is believed only for a first, small buffer.
func readBounded(r io.Reader, claimed, limit int64) (body []byte, whole bool, err error) {
	var b bytes.Buffer
	if claimed > 0 {
		b.Grow(int(min(claimed, limit, 64<<10)) + bytes.MinRead)
	}
	_, err = b.ReadFrom(&io.LimitedReader{R: r, N: limit})
	if err != nil || int64(b.Len()) < limit {
		return b.Bytes(), err == nil, err
	}
	var more [1]byte
	n, err := io.ReadFull(r, more[:])
	if n == 0 && errors.Is(err, io.EOF) {
		return b.Bytes(), true, nil
	}
	if n == 0 {
		return b.Bytes(), false, err
	}
	return b.Bytes(), false, nil
}

func (op *Operation) takeURL(u *url.URL) error {
	if u == nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errURL
	}
	copied := *u
	copied.User, copied.Fragment, copied.RawFragment = nil, "", ""
	again, err := url.Parse(copied.String())
	if err != nil || again.Host != copied.Host || again.RequestURI() != copied.RequestURI() || !utf8.ValidString(copied.String()) {
		return errURL // read back from a disk it would go elsewhere
	}
	op.url = &copied
	if u.User != nil && op.header.Get("Authorization") == "" {
		// As net/http's own client does (RFC 3986 §3.2.1); among the secrets it goes from there.
		password, _ := u.User.Password()
		r := http.Request{Header: op.header}
		r.SetBasicAuth(u.User.Username(), password)
	}
	return nil
}

// takeKey takes the caller's own key, or mints one unless the request is safe or this client mints none.
func (c *Client) takeKey(op *Operation) error {
	own := op.header.Values(HeaderKey)
	if len(own) == 0 && (c.config.Unkeyed || safe(op.method)) {
		op.header.Del(HeaderKey) // present with no values it would make net/http send the request again by itself
		op.mintedAt = c.config.Clock.Now()
		return nil
	}
	var err error
	if len(own) > 0 {
		op.key, err = KeyFromHeader(op.header)
		op.header.Del(HeaderKey)
	} else {
		op.key, err = c.config.Keys.Mint()
		op.fresh = true
	}
	if stamp, ok := op.key.Stamp(); ok {
		op.mintedAt = stamp
	} else {
		op.mintedAt = c.config.Clock.Now()
	}
	return err
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// takeSecrets moves the secret headers to where they are not saved.
func (op *Operation) takeSecrets(names []string) {
	for _, name := range names {
		if values := op.header.Values(name); len(values) > 0 {
			if op.secrets == nil {
				op.secrets = http.Header{}
			}
			op.secrets[http.CanonicalHeaderKey(name)] = values
			op.header.Del(name)
		}
	}
}
