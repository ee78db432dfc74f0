package retry

import (
	"math"
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

var digits = regexp.MustCompile(`\A[0-9]+\z`)

// FuzzParseSeconds compares with math/big: as many seconds as the digits say, the longest time if that is more, and nothing else.
func FuzzParseSeconds(f *testing.F) {
	for _, value := range []string{"", "0", "7", "007", "-1", "+1", "1.5", "1e3", "1s", " 1", "1\n", "9223372035", "9223372036", "9223372037", "9223372036854775807", "18446744073709551616", strings.Repeat("9", 400), "٣", "1_0"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := ParseSeconds(value)
		if ok != digits.MatchString(value) || got < 0 || !ok && got != 0 {
			t.Fatalf("%+q: %v, %v", value, got, ok)
		}
		if !ok {
			return
		}
		seconds, _ := new(big.Int).SetString(value, 10)
		want := time.Duration(math.MaxInt64)
		if seconds.Cmp(big.NewInt(math.MaxInt64/int64(time.Second))) < 0 {
			want = time.Duration(seconds.Int64()) * time.Second
		}
		if got != want {
			t.Fatalf("%+q: %v, want %v", value, got, want)
		}
	})
}

// FuzzParseRetryAfter compares dates with net/http's reading, and holds the waits that a loop makes of them to its policy. Deliberately other than there:
//
//   - The two digits of an RFC 850 date's year are read by RFC 9110 §5.6.7, not by a fixed pivot.
//   - A date is GMT. net/http takes any three letters for a zone in RFC 850 dates, and for GMT.
func FuzzParseRetryAfter(f *testing.F) {
	for _, value := range []string{
		"0", "120", " 7\t", "-1", "+3", "1.5", "soon", "", "9223372036", strings.Repeat("9", 30),
		"Sun, 08 Nov 2026 08:49:37 GMT", "Sunday, 08-Nov-26 08:49:37 GMT", "Sun Nov  8 08:49:37 2026", "Sun, 08 Nov 2026 08:48:00 GMT", "Mon, 08 Nov 2026 08:49:37 GMT", "sun, 08 nov 2026 08:49:37 gmt",
		"Tuesday, 08-Nov-77 08:49:00 GMT", "Sunday, 08-Nov-76 08:48:00 GMT", "Sunday, 08-Nov-26 08:49:37 PST", "Sunday, 08-Nov-26 08:49:37 UTC", "Sun, 08 Nov 2026 08:49:37 PST", "Sun, 08 Nov 2026 08:49:37 +0000",
		"Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 0000 00:00:00 GMT", "Thu, 29 Feb 2024 00:00:00 GMT", "Monday, 29-Feb-00 00:00:00 GMT", "Thu, 30 Feb 2026 00:00:00 GMT", "Sun, 08 Nov 2026 08:49:60 GMT",
		"Sun, 08 Nov 2026 08:49:37.5 GMT",
	} {
		f.Add(value, int64(1_794_127_740))
		f.Add(value, int64(-1))
	}
	f.Add("Sunday, 08-Nov-99 08:49:37 GMT", int64(4_102_444_799)) // the last second of 2099
	f.Add("Friday, 01-Jan-00 00:00:00 GMT", int64(4_102_444_799))
	f.Fuzz(func(t *testing.T, value string, unix int64) {
		const year9999 = 253_402_300_799
		now := time.Unix(unix%year9999, 0).UTC()
		got, ok := ParseRetryAfter(value, now)
		if got < 0 || !ok && got != 0 {
			t.Fatalf("%+q: %v, %v", value, got, ok)
		}
		checkWait(t, value, got)
		text := strings.Trim(value, " \t")
		if seconds, isNumber := ParseSeconds(text); isNumber {
			if !ok || got != seconds {
				t.Fatalf("%+q: %v, %v, want %v", value, got, ok, seconds)
			}
			return
		}
		at, err := http.ParseTime(text)
		rfc850 := strings.Contains(text, "-")
		if gmt := !rfc850 || strings.HasSuffix(text, " GMT"); ok != (err == nil && gmt) {
			t.Fatalf("%+q: %v, %v; net/http reads %v, %v", value, got, ok, at, err)
		}
		if want := max(0, at.Sub(now)); ok && !rfc850 && got != want {
			t.Fatalf("%+q at %v: %v, want %v", value, now, got, want)
		}
		// Some year of these two digits is within 50 years; no pause is longer than that.
		if ok && rfc850 && got > now.AddDate(50, 0, 1).Sub(now) {
			t.Fatalf("%+q at %v: %v", value, now, got)
		}
	})
}

// checkWait holds what follows from a pause to the policy: it is a floor, and over the cap there is no wait at all.
func checkWait(t *testing.T, value string, pause time.Duration) {
	t.Helper()
	p := Policy{}.WithDefaults()
	loop, err := New(Config{Rand: func() float64 { return 0.999 }})
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []End{EndUnavailable, EndInProgress} {
		r := loop.begin(Operation{Kind: Keyed})
		r.last, r.row = Ending{End: end, RetryAfter: pause}, rowOf(end)
		wait, stop := r.plan(t.Context())
		switch {
		case (stop != nil) != (pause > p.RetryAfterCap):
			t.Fatalf("%+q, a pause of %v: wait %v, %v", value, pause, wait, stop)
		case stop == nil && (wait < pause || wait > p.RetryAfterCap+p.Cap):
			t.Fatalf("%+q, a pause of %v, makes a wait of %v", value, pause, wait)
		}
	}
}
