package oncehttp

import (
	"errors"
	"math"
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
)

var (
	legalKey = regexp.MustCompile(`\A[!-~]{1,255}\z`)
	quoted   = regexp.MustCompile(`(?s)\A"((?:[^"\\]|\\["\\])*)"\z`)
	escaped  = regexp.MustCompile(`(?s)\\(.)`)
)

// FuzzKeyFromHeader: bare and quoted are one key, and what could be two is none. compat/encodings compares it with a library for structured fields.
func FuzzKeyFromHeader(f *testing.F) {
	for _, value := range []string{
		"", " ", `""`, "k", " k\t", `"k"`, ` "k" `, `"k`, `k"`, `"k"x`, `"k";a=1`, "k;a=1", "k,j", "k, j", `"k,j"`, `"k", "j"`, `"k\"j"`, `"k\\j"`, `"k\nj"`, `"k\`, `"\"`, `k\`, `k"j`,
		"a b", `"a b"`, "a\tb", "a\x00b", "schlüssel", `"schlüssel"`, "\xff", strings.Repeat("k", 255), `"` + strings.Repeat("k", 256) + `"`, `"` + strings.Repeat(`\"`, 255) + `"`, ":a2V5:", "1", "?1",
		"once_01h455vb4pex5vsknk084sn02q",
	} {
		f.Add(value, "")
		f.Add(value, "k")
	}
	f.Fuzz(func(t *testing.T, value, other string) {
		k, err := KeyFromHeader(http.Header{HeaderKey: {value}})
		text := strings.Trim(value, " \t")
		legal := !strings.HasPrefix(text, `"`) && !strings.Contains(text, ",")
		if inner := quoted.FindStringSubmatch(text); inner != nil {
			text, legal = escaped.ReplaceAllString(inner[1], "$1"), true
		}
		legal = legal && legalKey.MatchString(text)
		switch {
		case (err == nil) != legal || legal && k.Text() != text:
			t.Fatalf("%+q is legal: %v; read as %q, %v", value, legal, k.Text(), err)
		case err != nil && (!errors.Is(err, onceward.ErrKeyInvalid) || errors.Is(err, onceward.ErrKeyMissing) || len(value) > 30 && strings.Contains(err.Error(), value)):
			t.Fatalf("%+q: %v", value, err)
		}
		if _, err := KeyFromHeader(http.Header{HeaderKey: {value, other}}); !errors.Is(err, onceward.ErrKeyInvalid) {
			t.Fatalf("two headers: %v", err)
		}
		// What a proxy makes of two headers is not the key of one of them.
		if joined, err := KeyFromHeader(http.Header{HeaderKey: {value + ", " + other}}); err == nil && legal && joined == k {
			t.Fatalf("%+q and %+q, joined, are the key of the first", value, other)
		}
		if legal {
			again, err := KeyFromHeader(http.Header{HeaderKey: {formatKey(k)}})
			if err != nil || again != k || checkFields(http.Header{HeaderKey: {formatKey(k)}}) != nil {
				t.Fatalf("%q is sent as %q, read as %q, %v", text, formatKey(k), again.Text(), err)
			}
		}
	})
}

// FuzzHorizon: as many seconds as the digits say, and the longest time if that is more; a client that retries for ever must not be
// taken for one that says nothing.
func FuzzHorizon(f *testing.F) {
	for _, value := range []string{"", "0", "1", "117", "007", "-1", "+1", "1.5", "1s", " 1", "9223372036", "9223372037", "9223372036854775807", "9223372036854775808", "99999999999999999999999", "٣", "1_0", "0x1"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		want := time.Duration(0)
		if digits.MatchString(value) {
			n, _ := new(big.Int).SetString(value, 10)
			want = time.Duration(math.MaxInt64)
			if n.Mul(n, big.NewInt(int64(time.Second))).IsInt64() {
				want = time.Duration(n.Int64())
			}
		}
		if got := horizonOf(http.Header{HeaderHorizon: {value}}); got != want && !(want > math.MaxInt64-time.Second && got > math.MaxInt64-time.Second) {
			t.Fatalf("%+q is %v, want %v", value, got, want)
		}
	})
}

var digits = regexp.MustCompile(`\A[0-9]+\z`)
