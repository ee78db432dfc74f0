package onceward

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/onceward/onceward/store"
)

// Fingerprint says what makes two requests the same, in every version of the recipe that this build knows, so that
// a record written by an older or newer server can still be compared. Immutable; the zero value is none.
type Fingerprint struct {
	sums [knownVersions]store.Fingerprint
	hint uint64
}

// fingerprintV1 is the recipe below. It is stored: a change, however small, is a new version, computed beside the old one.
const (
	fingerprintV1 = 1
	knownVersions = 1
)

// Versions returns the fingerprint in every known version, newest first; of the zero Fingerprint none.
func (f Fingerprint) Versions() []store.Fingerprint {
	if f.isZero() {
		return nil
	}
	return f.sums[:]
}

func (f Fingerprint) isZero() bool { return f.sums[0].Version == 0 }

// Hint returns a hash of a JSON body that ignores the order of members and insignificant white space; 0 if there is none.
// It explains a mismatch, decides nothing, and is no cryptographic hash.
func (f Fingerprint) Hint() uint64 { return f.hint }

// HTTPFingerprint returns the fingerprint of an HTTP request. It keeps nothing of body. Version 1 is SHA-256 over
//
//   - method, as it is: it is case-sensitive (RFC 9110 §9.1); "" is GET, as in net/http
//   - host, lower-cased, without an empty port, ":80" and ":443" (RFC 3986 §6.2.3; the scheme is unknown behind a proxy)
//   - path, as it is: the escaped form, since an encoded slash is another path
//   - rawQuery, as it is: the order of parameters may matter
//   - contentType: type and names of parameters lower-cased, parameters sorted by name, values unquoted
//   - body. A well-formed multipart body counts part by part, header lines and content, and its boundary does not count,
//     since clients draw a new one for each try. Any other body counts byte by byte, the boundary included.
//
// Each comes after its length, so that no two different lists give the same bytes.
func HTTPFingerprint(method, host, path, rawQuery, contentType string, body []byte) Fingerprint {
	if method == "" {
		method = "GET"
	}
	media := parseMediaType(contentType)
	var room [1024]byte
	b := appendField(room[:0], "http")
	b = appendField(b, method)
	b = appendLowerField(b, trimDefaultPort(host))
	b = appendField(b, path)
	b = appendField(b, rawQuery)
	sum, isMultipart := sumMultipart(b, &media, body)
	if !isMultipart {
		sum = sumBody(media.appendTo(b, true), body)
	}
	return newFingerprint(sum, &media, body)
}

// BytesFingerprint returns the fingerprint of what is no HTTP request: the arguments of a function, a message.
// kind names what body is, so that equal bytes of two kinds differ; a JSON media type as kind gives a hint.
// Version 1 is SHA-256 over kind and body, each after its length.
func BytesFingerprint(kind string, body []byte) Fingerprint {
	media := parseMediaType(kind)
	var room [1024]byte
	b := appendField(room[:0], "bytes")
	b = appendField(b, kind)
	return newFingerprint(sumBody(b, body), &media, body)
}

func newFingerprint(sum [32]byte, media *mediaType, body []byte) Fingerprint {
	f := Fingerprint{sums: [...]store.Fingerprint{{Version: fingerprintV1, Sum: sum}}}
	if media.isJSON() {
		f.hint = jsonHint(body)
	}
	return f
}

// sumBody hashes what b holds and then body after its length. A short body joins b: one call is cheaper than a copy.
func sumBody(b, body []byte) [32]byte {
	b = append(b, rawBody)
	b = binary.BigEndian.AppendUint64(b, uint64(len(body)))
	if len(body) <= cap(b)-len(b) {
		return sha256.Sum256(append(b, body...))
	}
	h := sha256.New()
	h.Write(b)
	h.Write(body)
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

// What stands between the fields and the body, so that parts and bytes can never look alike.
const (
	rawBody       byte = 0
	multipartBody byte = 1
)

// appendLowerField is appendField of text with its ASCII letters in lower case.
func appendLowerField(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
	for i := range len(text) {
		b = append(b, lower(text[i]))
	}
	return b
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// trimDefaultPort cuts a port that says nothing. What stands before the only colon, or before one after "]", is a host.
func trimDefaultPort(host string) string {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 {
		return host
	}
	name, port := host[:colon], host[colon+1:]
	if strings.HasSuffix(name, "]") || strings.IndexByte(name, ':') < 0 {
		if port == "" || port == "80" || port == "443" {
			return name
		}
	}
	return host
}
