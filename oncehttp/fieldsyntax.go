package oncehttp

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

var (
	errHeaderSyntax = errors.New("oncehttp: a header of the request has a character that HTTP does not allow, a line break for example")
	errHeaderText   = errors.New("oncehttp: a header of the request is not UTF-8: saved and read back it would be another")
)

// canonical is h with every name spelled as net/http spells it: a secret or a key in another spelling must not be overlooked.
func canonical(h http.Header) http.Header {
	count := 0
	for _, values := range h {
		count += len(values)
	}
	left := make([]string, count)
	out := make(http.Header, len(h))
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		if before := out[name]; len(before) > 0 {
			out[name] = slices.Clip(append(before, values...))
			continue
		}
		n := copy(left, values)
		out[name], left = left[:n:n], left[n:]
	}
	return out
}

// checkFields refuses what net/http would refuse only when it sends, where one cannot tell any more that nothing has left (RFC 9110 §5.1, §5.5).
func checkFields(h http.Header) error {
	for name, values := range h {
		for i := range len(name) {
			if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
				return errHeaderSyntax
			}
		}
		for _, v := range values {
			for i := range len(v) {
				if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
					return errHeaderSyntax
				}
			}
		}
	}
	return nil
}

// savable reports whether JSON keeps every value as it is.
func savable(h http.Header) bool {
	for _, values := range h {
		for _, v := range values {
			if !utf8.ValidString(v) {
				return false
			}
		}
	}
	return true
}

// token is RFC 9110 §5.6.2.
func token(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return text != ""
}
