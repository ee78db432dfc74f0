package oncehttp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/onceward/onceward"
)

// Headers of the protocol; docs/protocol.md says who sends which.
const (
	HeaderKey      = "Idempotency-Key"     // request: draft-ietf-httpapi-idempotency-key-header-07 §2.1
	HeaderHorizon  = "Onceward-Horizon"    // request: for how many seconds from the key's mint the client may go on retrying
	HeaderWindow   = "Onceward-Window"     // every reply to a keyed request: for how many seconds a key is remembered
	HeaderReplayed = "Idempotent-Replayed" // reply: "true" if it is a saved one
	HeaderOutcome  = "Onceward-Outcome"    // reply of a handler: what became of it, one of the Outcome constants
)

// Values of [HeaderOutcome]. A client need not guess from the status what a route saves.
const (
	OutcomeSaved   = "saved"   // this reply is the operation's for ever
	OutcomeFreed   = "freed"   // nothing took effect, the same key may be sent again
	OutcomeDoubted = "doubted" // nobody can tell yet whether it took effect
)

// KeyFromHeader reads the key off a request. `abc` and the draft's quoted `"abc"` (a string of RFC 9651 §3.3.3) are one key.
// A bare value with a comma is refused: a proxy may have joined two headers. So is a second header, and one without a key in it: whoever sends
// such a header means to be protected by it.
func KeyFromHeader(h http.Header) (onceward.Key, error) {
	values := h.Values(HeaderKey)
	if len(values) == 0 {
		return onceward.Key{}, onceward.ErrKeyMissing
	}
	if len(values) > 1 {
		return onceward.Key{}, fmt.Errorf("%w: %d %s headers", onceward.ErrKeyInvalid, len(values), HeaderKey)
	}
	key, err := parseKeyHeader(values[0])
	if errors.Is(err, onceward.ErrKeyMissing) {
		return onceward.Key{}, fmt.Errorf("%w: the %s header is empty", onceward.ErrKeyInvalid, HeaderKey)
	}
	return key, err
}

func parseKeyHeader(v string) (onceward.Key, error) {
	v = strings.Trim(v, " \t")
	if !strings.HasPrefix(v, `"`) {
		if strings.Contains(v, ",") {
			return onceward.Key{}, fmt.Errorf("%w: a comma outside quotes", onceward.ErrKeyInvalid)
		}
		return onceward.ParseKey(v)
	}
	text, ok := unquote(v)
	if !ok {
		return onceward.Key{}, fmt.Errorf("%w: not one quoted string", onceward.ErrKeyInvalid)
	}
	return onceward.ParseKey(text)
}

// unquote reads a structured field's string; it must be the whole value.
func unquote(v string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(v); i++ {
		switch c := v[i]; c {
		case '"':
			return b.String(), i == len(v)-1
		case '\\':
			i++
			if i == len(v) || v[i] != '"' && v[i] != '\\' {
				return "", false
			}
			b.WriteByte(v[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// formatKey is the key as a header value: bare as most clients send it, quoted where bare would be read otherwise.
func formatKey(k onceward.Key) string {
	text := k.Text()
	if !strings.ContainsAny(text, `,"\`) {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
