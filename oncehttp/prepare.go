package oncehttp

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
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
	frozen := &struct { // one object, since both live as long
		op      Operation
		history retry.History
	}{}
	op := &frozen.op
	op.method, op.host, op.header = req.Method, req.Host, canonical(req.Header)
	body, err := c.snapshot(req) // first: it closes the body, whatever else is wrong
	if op.method == "" {
		op.method = http.MethodGet
	}
	err = errors.Join(err, op.takeURL(req.URL), c.takeKey(op), checkFields(op.header))
	if !token(op.method) {
		err = errors.Join(err, errMethod)
	}
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
	op.body = body
	op.history = &frozen.history
	op.history.Begin(op.mintedAt, false)
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

func (op *Operation) takeURL(u *url.URL) error {
	if u == nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errURL
	}
	copied := *u
	copied.User, copied.Fragment, copied.RawFragment = nil, "", ""
	if !plainURL(&copied) && !readsBack(&copied) {
		return errURL
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

// readsBack reports whether the URL, saved as text, is the same again: otherwise it would go elsewhere after a crash.
func readsBack(u *url.URL) bool {
	text := u.String()
	again, err := url.Parse(text)
	return err == nil && again.Host == u.Host && again.RequestURI() == u.RequestURI() && utf8.ValidString(text)
}

// plainURL answers for almost all URLs without taking them apart: no character in it means anything to a parser where it stands.
func plainURL(u *url.URL) bool {
	name, port, _ := strings.Cut(u.Host, ":")
	return u.Opaque == "" && u.RawPath == "" && !u.OmitHost && name != "" && plainText(name, "") && strings.Trim(port, "0123456789") == "" &&
		strings.HasPrefix(u.Path, "/") && plainText(u.Path, "/") && plainText(u.RawQuery, "/=&")
}

// plainText reports whether text has only letters, digits, "-", ".", "_" and what else may stand there.
func plainText(text, more string) bool {
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', strings.IndexByte(more, c) >= 0:
		default:
			return false
		}
	}
	return true
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
