package onceward

import (
	"encoding/binary"
	"strings"
)

// mediaType is a Content-Type (RFC 9110 §8.3.1) taken apart, without allocation and without package mime: the result goes into
// stored hashes, which must not follow that package's changes.
type mediaType struct {
	whole  string // as sent, trimmed
	name   string // type "/" subtype as sent; "" if the whole does not follow the grammar
	params [maxMediaParams]mediaParam
	count  int
}

// maxMediaParams bounds the work on what a stranger sends; with more the whole counts as it is.
const maxMediaParams = 8

type mediaParam struct {
	name  string
	value string // between the quotes, if it was quoted; backslashes still in it
}

const optionalSpace = " \t" // OWS, RFC 9110 §5.6.3

func parseMediaType(text string) mediaType {
	m := mediaType{whole: strings.Trim(text, optionalSpace)}
	name, rest, _ := strings.Cut(m.whole, ";")
	name = strings.TrimRight(name, optionalSpace)
	kind, subtype, _ := strings.Cut(name, "/")
	if !isToken(kind) || !isToken(subtype) || !m.parseParams(rest) {
		return mediaType{whole: m.whole}
	}
	m.name = name
	return m
}

// parseParams reads what follows the first semicolon and sorts it by name; equal names keep their order.
func (m *mediaType) parseParams(rest string) bool {
	for {
		rest = strings.TrimLeft(rest, optionalSpace+";")
		if rest == "" {
			return true
		}
		name, after, found := strings.Cut(rest, "=")
		if !found || !isToken(name) || m.count == maxMediaParams {
			return false
		}
		value, after, ok := cutParamValue(after)
		if !ok {
			return false
		}
		m.insert(mediaParam{name: name, value: value})
		rest = strings.TrimLeft(after, optionalSpace)
		if rest != "" && rest[0] != ';' {
			return false
		}
	}
}

// cutParamValue takes a token or a quoted string off the front.
func cutParamValue(text string) (value, after string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, optionalSpace+";")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], isToken(text[:end])
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[1:i], text[i+1:], true
		}
	}
	return "", "", false
}

func (m *mediaType) insert(p mediaParam) {
	at := m.count
	for at > 0 && lessFold(p.name, m.params[at-1].name) {
		m.params[at] = m.params[at-1]
		at--
	}
	m.params[at] = p
	m.count++
}

// appendTo appends the canonical form. Without its boundary only for a multipart body that counts part by part.
func (m *mediaType) appendTo(b []byte, withBoundary bool) []byte {
	if m.name == "" {
		return appendField(append(b, 0), m.whole)
	}
	b = appendLowerField(append(b, 1), m.name)
	for _, p := range m.params[:m.count] {
		if !withBoundary && equalFold(p.name, "boundary") {
			continue
		}
		b = appendLowerField(append(b, 1), p.name)
		b = appendUnquotedField(b, p.value)
	}
	return append(b, 0)
}

// appendUnquotedField is appendField of value without the backslashes of its quoted pairs. A token has none.
func appendUnquotedField(b []byte, value string) []byte {
	at := len(b)
	b = binary.BigEndian.AppendUint64(b, 0)
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) {
			i++
		}
		b = append(b, value[i])
	}
	binary.BigEndian.PutUint64(b[at:], uint64(len(b)-at-8))
	return b
}

// boundary returns the boundary of a multipart type: exactly one, of the characters and the length that RFC 2046 §5.1.1 allows.
func (m *mediaType) boundary() (string, bool) {
	const prefix = "multipart/"
	if len(m.name) < len(prefix) || !equalFold(m.name[:len(prefix)], prefix) {
		return "", false
	}
	found := ""
	for _, p := range m.params[:m.count] {
		if !equalFold(p.name, "boundary") {
			continue
		}
		if found != "" || !isBoundary(p.value) {
			return "", false
		}
		found = p.value
	}
	return found, found != ""
}

// isJSON reports whether the type is application/json or has the suffix of RFC 6839 §3.1.
func (m *mediaType) isJSON() bool {
	const suffix = "+json"
	return equalFold(m.name, "application/json") ||
		len(m.name) > len(suffix) && equalFold(m.name[len(m.name)-len(suffix):], suffix)
}

const maxBoundary = 70

func isBoundary(text string) bool {
	if text == "" || len(text) > maxBoundary || text[len(text)-1] == ' ' {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if !isAlphanumeric(c) && strings.IndexByte("'()+_,-./:=? ", c) < 0 {
			return false
		}
	}
	return true
}

// isToken follows RFC 9110 §5.6.2.
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return text != ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// equalFold and lessFold fold ASCII only: strings.EqualFold takes the Kelvin sign for a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lessFold(a, b string) bool {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return x < y
		}
	}
	return len(a) < len(b)
}
