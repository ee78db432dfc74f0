package oncehttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// SetKey gives req a key minted by keys, onceward.TypeID if nil, unless it has one, and returns the key that it has. It is for requests that
// another library's loop sends through a [KeyTransport]: call it once for each operation, above that loop.
func SetKey(req *http.Request, keys onceward.Minter) (onceward.Key, error) {
	if len(req.Header.Values(HeaderKey)) > 0 {
		return KeyFromHeader(req.Header)
	}
	if keys == nil {
		keys = onceward.TypeID{}
	}
	key, err := keys.Mint()
	if err != nil {
		return onceward.Key{}, err
	}
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set(HeaderKey, formatKey(key))
	return key, nil
}

// KeyTransportConfig configures a [KeyTransport]. Fields at zero take their defaults.
type KeyTransportConfig struct {
	Transport http.RoundTripper // as in ClientConfig
	MaxReply  int64             // bytes of a reply's body, decompressed; default 8 MiB
}

// KeyTransport is an http.RoundTripper to put below another library's retry loop. It makes such a loop harmless, not complete:
// each RoundTrip goes over the wire once, has a key, and fails if its reply broke off, so that the loop sees it.
//
// The key must be the same in every attempt, so it cannot be minted here: [SetKey] sets it above the loop, and a request other than GET and HEAD without
// one is refused with onceward.ErrKeyMissing. What the loop does not know stays its user's task: 409 in-progress means "ask again", and an error after a lost
// reply leaves the fate unknown. [Client] knows. It is immutable and safe for concurrent use.
type KeyTransport struct{ config KeyTransportConfig }

// NewKeyTransport returns a KeyTransport or the fault of its configuration.
func NewKeyTransport(config KeyTransportConfig) (*KeyTransport, error) {
	if config.Transport == nil {
		config.Transport = newTransport()
	}
	if config.MaxReply == 0 {
		config.MaxReply = DefaultMaxReply
	}
	if config.MaxReply < 0 {
		return nil, fmt.Errorf("oncehttp: KeyTransportConfig.MaxReply is %d; use more than 0 bytes", config.MaxReply)
	}
	return &KeyTransport{config: config}, nil
}

// RoundTrip sends req once and reads the whole reply. A reply that broke off is an error that wraps retry.ErrReplyCut, one over the limit retry.ErrReplyTooLarge.
func (t *KeyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := KeyFromHeader(req.Header); err != nil && !(errors.Is(err, onceward.ErrKeyMissing) && safe(req.Method)) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("oncehttp: call SetKey once for each operation, above the retry loop: %w", err)
	}
	resp, err := t.config.Transport.RoundTrip(onceOnly(req))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols { // its body is the bare connection, which knows no context
		return nil, fmt.Errorf("%w: the server switched protocols unasked", retry.ErrReplyCut)
	}
	body, whole, err := readBounded(resp.Body, resp.ContentLength, t.config.MaxReply)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", retry.ErrReplyCut, err)
	case !whole:
		return nil, fmt.Errorf("%w: KeyTransportConfig.MaxReply is %d", retry.ErrReplyTooLarge, t.config.MaxReply)
	}
	resp.Request = req
	resp.ContentLength = contentLength(resp, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// CloseIdleConnections closes the transport's connections that are not in use.
func (t *KeyTransport) CloseIdleConnections() {
	if c, ok := t.config.Transport.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// onceOnly returns a copy of req that net/http does not send again by itself.
func onceOnly(req *http.Request) *http.Request {
	once := *req
	once.GetBody = nil
	if req.Body == nil || req.Body == http.NoBody {
		if len(req.Header.Values(HeaderKey)) == 0 {
			return &once
		}
		once.Header = req.Header.Clone()
		emptyBody(&once)
	}
	return &once
}
