package oncehttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/onceward/onceward"
)

// keyFromField reads the key off a member of a JSON object. A member that stands twice is refused: another parser might take the other.
// null is no key; an empty string is a wrong one.
func keyFromField(body []byte, field string) (onceward.Key, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return onceward.Key{}, fmt.Errorf("%w: the body is not a JSON object", onceward.ErrKeyMissing)
	}
	var text string
	stands, found := false, false
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return onceward.Key{}, fmt.Errorf("%w: the body is not JSON", onceward.ErrKeyInvalid)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return onceward.Key{}, fmt.Errorf("%w: the body is not JSON", onceward.ErrKeyInvalid)
		}
		if name != field {
			continue
		}
		if stands {
			return onceward.Key{}, fmt.Errorf("%w: the member %q stands twice", onceward.ErrKeyInvalid, field)
		}
		stands = true
		if string(value) == "null" {
			continue
		}
		if err := json.Unmarshal(value, &text); err != nil || text == "" {
			return onceward.Key{}, fmt.Errorf("%w: the member %q is not a string with a key in it", onceward.ErrKeyInvalid, field)
		}
		found = true
	}
	if _, err := d.Token(); err != nil {
		return onceward.Key{}, fmt.Errorf("%w: the body is not JSON", onceward.ErrKeyInvalid)
	}
	if _, err := d.Token(); err != io.EOF {
		return onceward.Key{}, fmt.Errorf("%w: the body is more than one JSON value", onceward.ErrKeyInvalid)
	}
	if !found {
		return onceward.Key{}, onceward.ErrKeyMissing
	}
	return onceward.ParseKey(text)
}
