package onceward

import (
	"bytes"
	"mime"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// FuzzHTTPFingerprint moves the borders between a request's fields, swaps them and leaves them out: no two different requests may have one
// fingerprint. What it takes for different it decides by other means than the fingerprint does.
func FuzzHTTPFingerprint(f *testing.F) {
	for _, c := range []httpCase{
		order, {}, {"GET", "", "", "", "", ""}, {"", "h:80", "/", "a=b", formType, formBody}, {"POST", "[::1]:443", "/", "", `a/b;x="\"";y=z`, "--"},
		{"POST", "h", "/a%2Fb", "x=1&y=2", "application/json;charset=utf-8;charset=x", `{"a":1,"a":2}`},
		{"POST", "h:443:80", "/", "", "multipart/form-data; boundary=XX; boundary=XX", formBody},
		{"POST", "::1", "/\x00", "\x00\x00\x00\x00\x00\x00\x00\x01", "not a media type", strings.Repeat("x", 3000)},
		{"POST", "host", "port", "80", "text/plain", "http"},
	} {
		f.Add(c.method, c.host, c.path, c.query, c.media, []byte(c.body), uint16(1))
		f.Add(c.method, c.host, c.path, c.query, c.media, []byte(c.body), uint16(77))
	}
	f.Fuzz(func(t *testing.T, method, host, path, query, media string, body []byte, move uint16) {
		given := bytes.Clone(body)
		c := httpCase{method, host, path, query, media, string(body)}
		a := HTTPFingerprint(method, host, path, query, media, body)
		if b := c.print(); sumOf(a) != sumOf(b) || a.Hint() != b.Hint() || !bytes.Equal(body, given) {
			t.Fatal("the same request has two fingerprints, or its body was changed")
		}
		others := moved([]string{method, host, path, query, media, string(body)}, int(move))
		for _, field := range []int{0, 1, 2, 3, 4, 5} {
			for _, more := range []string{"X", " ", "\x00", ":", ";", "&", "/", "\r\n"} {
				fields := []string{method, host, path, query, media, string(body)}
				fields[field] += more
				others = append(others, fields)
			}
		}
		for _, o := range others {
			other := httpCase{o[0], o[1], o[2], o[3], o[4], o[5]}
			if why := difference(c, other); why != "" && sumOf(other.print()) == sumOf(a) {
				t.Fatalf("%+q and %+q have one fingerprint; they differ by their %s", c, other, why)
			}
		}
	})
}

// difference names a field by which two requests certainly differ, or "".
func difference(a, b httpCase) string {
	switch {
	case methodOf(a.method) != methodOf(b.method):
		return "method"
	case hostOf(a.host) != hostOf(b.host):
		return "host"
	case a.path != b.path:
		return "path"
	case a.query != b.query:
		return "query"
	}
	x, paramsX, errX := mime.ParseMediaType(a.media)
	y, paramsY, errY := mime.ParseMediaType(b.media)
	multipart := strings.HasPrefix(x, "multipart/") || strings.HasPrefix(y, "multipart/")
	switch {
	case errX == nil && errY == nil && !multipart && !strings.Contains(a.media+b.media, `\`) && (x != y || !reflect.DeepEqual(paramsX, paramsY)):
		return "media type"
	case a.body != b.body && (!multipart || a.media == b.media && !strings.Contains(a.body+b.body, "--")):
		return "body"
	}
	return ""
}

func methodOf(method string) string {
	if method == "" {
		return "GET"
	}
	return method
}

var silentPort = regexp.MustCompile(`(?s)\A(.*]|[^:]*):(80|443)?\z`)

// hostOf folds ASCII letters only, and takes off a port that says nothing. Bytes that are not UTF-8 become all the same, which makes it say "different" too seldom.
func hostOf(host string) string {
	host = strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, host)
	return silentPort.ReplaceAllString(host, "$1")
}

// What a stranger sends costs time in proportion to its length. Each of these would take hours if it cost the square.
func TestFingerprintOfHostileRequestsIsQuick(t *testing.T) {
	const size, most = 1 << 20, 5 * time.Second // a hundred times of what it takes here
	fill := func(text string) string { return strings.Repeat(text, size/len(text)) }
	boundary := strings.Repeat("a", maxBoundary)
	for name, c := range map[string]httpCase{
		"almost a delimiter":       {media: "multipart/x; boundary=" + boundary, body: "--" + boundary + "\r\n" + fill("\r\n--"+boundary[1:])},
		"delimiters without end":   {media: "multipart/x; boundary=a", body: "--a" + fill("\r\n--a")},
		"delimiters with no blank": {media: "multipart/x; boundary=a", body: "--a" + fill("\r\nb\r\n--a") + "--"},
		"parts of nothing":         {media: "multipart/x; boundary=a", body: "--a" + fill("\r\n\r\n\r\n--a") + "--"},
		"a boundary of its own":    {media: "multipart/x; boundary=" + boundary, body: "--" + fill("a")},
		"deep JSON":                {media: "application/json", body: fill("[")},
		"wide JSON":                {media: "application/json", body: "[" + fill(`{"":[`)},
		"a string of escapes":      {media: "application/json", body: `"` + fill(`\u00e4`)},
		"semicolons":               {media: "a/b" + fill(";")},
		"spaces":                   {media: "a/b" + fill(" ;")},
		"parameters":               {media: "a/b" + fill(";a=b")},
		"backslashes":              {media: `a/b;a="` + fill(`\\`)},
		"colons":                   {host: fill(":")},
	} {
		start := time.Now()
		if c.print(); time.Since(start) > most {
			t.Errorf("%s: %v for a megabyte", name, time.Since(start))
		}
	}
}
