package onceward

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"

	"github.com/onceward/onceward/store"
)

// Key is the unique request ID: minted once, before the first send, and the same in every retry.
// It is 1 to 255 visible ASCII characters (0x21 to 0x7E). Keys are comparable values; the zero Key is no key.
//
// A key is as good as a password for its reply, so it does not print: every fmt verb and slog show [Key.String].
// Two ways around that are the caller's to avoid: fmt cannot call methods of an unexported field,
// and JSON, which saves an operation, holds the whole key.
type Key struct{ text string }

// ParseKey takes the literal text of a key; quotes and other syntax of a transport are the transport's business.
// The error is ErrKeyMissing for "" and wraps ErrKeyInvalid otherwise. It never holds the text.
func ParseKey(text string) (Key, error) {
	if text == "" {
		return Key{}, ErrKeyMissing
	}
	if len(text) > store.MaxKey {
		return Key{}, fmt.Errorf("%w: it has %d bytes; use 1 to %d", ErrKeyInvalid, len(text), store.MaxKey)
	}
	for i := range len(text) {
		if c := text[i]; c < 0x21 || c > 0x7E {
			return Key{}, fmt.Errorf("%w: byte %d is 0x%02X; use visible ASCII, 0x21 to 0x7E", ErrKeyInvalid, i+1, c)
		}
	}
	return Key{text: text}, nil
}

// Text returns the whole key, for the wire and for storage. It does not belong in a log.
func (k Key) Text() string { return k.text }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.text == "" }

const (
	shownChars = 5 // of a long key: the prefix of a TypeID, or enough of a UUID to tell it by eye
	shownShare = 4 // never more than this fraction of a short one
)

// String returns a name for the key that may be logged: its first characters (at most 5, and at most a quarter of it)
// and 32 bits of its SHA-256, which lead an operator who has the key to its lines. The zero Key is "".
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	sum := sha256.Sum256([]byte(k.text))
	shown := k.text[:min(shownChars, len(k.text)/shownShare)]
	return shown + "…" + hex.EncodeToString(sum[:4])
}

// GoString returns the same as String.
func (k Key) GoString() string { return k.String() }

// Format writes String for every verb, also those for which fmt would look into the struct.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue returns the same as String, for slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns the whole key, so that a saved operation holds it. The zero Key is ErrKeyMissing.
func (k Key) MarshalText() ([]byte, error) {
	if k.IsZero() {
		return nil, ErrKeyMissing
	}
	return []byte(k.text), nil
}

// UnmarshalText takes what MarshalText gave. Its errors are ParseKey's; they leave k as it was.
func (k *Key) UnmarshalText(text []byte) error {
	parsed, err := ParseKey(string(text))
	if err != nil {
		return err
	}
	*k = parsed
	return nil
}
