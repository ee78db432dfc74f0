package oncehttp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// Operation is a request frozen with its key: what [Client.Send] sends, any number of times. [Client.Prepare] makes it.
// It is immutable but for what its sends learn, and safe for concurrent use.
//
// As JSON it can be saved before it is sent, and sent again after a crash. The JSON holds the key, the URL, the headers and the body, and none of the secret
// headers; give those back with WithSecrets, or let ClientConfig.Authorize add them. An operation that was read back counts as possibly sent before: only the record can
// say that it was not executed. Its text for logs holds none of this.
type Operation struct {
	key      onceward.Key
	fresh    bool      // the key was minted for it
	mintedAt time.Time // the stamp, where there is one
	method   string
	url      *url.URL
	host     string // Host header; "": the URL's
	header   http.Header
	secrets  http.Header // never saved
	body     []byte
	history  *retry.History
}

// Key returns the operation's key; zero if it has none, as safe ones and those of a ClientConfig.Unkeyed.
func (op *Operation) Key() onceward.Key { return op.key }

// WithSecrets returns a copy that sends these headers too, in place of those secrets that it had. Both share their history.
func (op *Operation) WithSecrets(h http.Header) *Operation {
	copied := *op
	copied.secrets = canonical(h)
	return &copied
}

func (op *Operation) facts() retry.Operation {
	kind := retry.Keyed
	switch {
	case !op.key.IsZero():
	case safe(op.method):
		kind = retry.Safe
	default:
		kind = retry.Unkeyed
	}
	return retry.Operation{Key: op.key, Kind: kind, Minted: op.fresh, Host: budgetHost(op.url), History: op.history}
}

// budgetHost is one name for a host, however a URL spells it.
func budgetHost(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// savedVersion is the version of the JSON. A reader refuses those that it does not know.
const savedVersion = 1

// savedOperation is the JSON of an Operation.
type savedOperation struct {
	Version int           `json:"version"`
	Key     string        `json:"key,omitempty"`
	Minted  time.Time     `json:"minted"`
	Method  string        `json:"method"`
	URL     string        `json:"url"`
	Host    string        `json:"host,omitempty"`
	Header  http.Header   `json:"header,omitempty"`
	Body    []byte        `json:"body,omitempty"`
	SHA256  string        `json:"body_sha256"`
	Window  time.Duration `json:"window_ns,omitempty"` // the shortest that a server has told
}

// MarshalJSON saves the operation without its secrets. One without a key that is not safe is refused: it could not be sent again.
func (op *Operation) MarshalJSON() ([]byte, error) {
	if op.url == nil {
		return nil, errNoOperation
	}
	if op.key.IsZero() && !safe(op.method) {
		return nil, errNoKeyToSave
	}
	sum := sha256.Sum256(op.body)
	return json.Marshal(savedOperation{
		Version: savedVersion, Key: op.key.Text(), Minted: op.mintedAt.UTC(), Method: op.method, URL: op.url.String(), Host: op.host,
		Header: op.header, Body: op.body, SHA256: hex.EncodeToString(sum[:]), Window: op.history.Window(),
	})
}

// UnmarshalJSON reads what MarshalJSON saved, and refuses another version, a body that does not match its hash, headers that no Prepare has left, and anything incomplete.
// It leaves op as it was then.
func (op *Operation) UnmarshalJSON(text []byte) error {
	var s savedOperation
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%w: %w", errOperationText, err)
	}
	if s.Version != savedVersion {
		return fmt.Errorf("%w: its version is %d, this build reads %d", errOperationText, s.Version, savedVersion)
	}
	sum := sha256.Sum256(s.Body)
	if want, err := hex.DecodeString(s.SHA256); err != nil || !bytes.Equal(want, sum[:]) {
		return fmt.Errorf("%w: its body does not match its hash", errOperationText)
	}
	read, err := s.operation()
	if err != nil {
		return fmt.Errorf("%w: %w", errOperationText, err)
	}
	*op = *read
	return nil
}

func (s savedOperation) operation() (*Operation, error) {
	op := &Operation{mintedAt: s.Minted, method: s.Method, host: s.Host, header: canonical(s.Header), body: s.Body}
	if op.header == nil {
		op.header = http.Header{}
	}
	if s.Method == "" || s.Minted.IsZero() {
		return nil, errors.New("method or mint time is missing")
	}
	if !prepared(op.header) {
		return nil, errors.New("its headers are not as Prepare leaves them: another key, or a name that is spelled otherwise, would be sent beside the key")
	}
	var err error
	if s.Key != "" || !safe(s.Method) {
		if op.key, err = onceward.ParseKey(s.Key); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, errURL // the parser's error repeats the URL
	}
	if err := op.takeURL(u); err != nil {
		return nil, err
	}
	op.history = retry.NewHistory(s.Minted, true)
	op.history.LearnWindow(s.Window)
	return op, nil
}

// prepared reports whether h is as freeze leaves a header.
func prepared(h http.Header) bool {
	for name := range h {
		if name != http.CanonicalHeaderKey(name) || name == HeaderKey || name == HeaderHorizon {
			return false
		}
	}
	return checkFields(h) == nil
}

// String names method, host and key, the key redacted. Path, query, headers and body are left out.
func (op *Operation) String() string {
	if op == nil || op.url == nil {
		return "no operation"
	}
	name := op.method + " " + op.url.Host
	if !op.key.IsZero() {
		name += " " + op.key.String()
	}
	return name
}

// Format writes String for every verb, also those for which fmt would look into the struct.
func (op *Operation) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, op.String()) }

// LogValue returns the same as String, for slog.
func (op *Operation) LogValue() slog.Value { return slog.StringValue(op.String()) }
