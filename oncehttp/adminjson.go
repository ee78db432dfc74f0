package oncehttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// readDecision reads the body of a POST. Members that it does not know are refused, since a misspelt one would be a decision that nobody made; and so
// are members that stand twice: readers differ on which of them counts.
func readDecision(r *http.Request, into any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return &adminError{status: http.StatusUnsupportedMediaType, detail: "the Content-Type must be application/json"}
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = decodeStrictly(body, into)
	}
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		return &adminError{status: http.StatusRequestEntityTooLarge, detail: "the body is too large"}
	case err != nil:
		return badRequest("the body cannot be read: " + err.Error())
	}
	return nil
}

// decodeStrictly reads one JSON object.
func decodeStrictly(text []byte, into any) error {
	if !utf8.Valid(text) { // package json would replace what it cannot read, and so name another principal
		return errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, after := d.Token(); !errors.Is(after, io.EOF) {
		return errors.New("json: something follows the object")
	}
	return membersOnce(json.NewDecoder(bytes.NewReader(text)))
}

// membersOnce refuses an object that has a member twice. Package json takes the last one, and finds members in any case; so a member in other than
// lower case is refused as well: all of ours are.
func membersOnce(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	open, _ := token.(json.Delim)
	seen := map[string]bool{}
	for open != 0 && d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			member := name.(string) // of an object that has been decoded once
			switch {
			case seen[member]:
				return fmt.Errorf("the member %q stands twice", member)
			case member != strings.ToLower(member) || strings.ContainsFunc(member, func(c rune) bool { return c >= utf8.RuneSelf }):
				return fmt.Errorf("unknown member %q: names are in lower case", member)
			}
			seen[member] = true
		}
		if err := membersOnce(d); err != nil {
			return err
		}
	}
	if open != 0 {
		_, err = d.Token()
	}
	return err
}
