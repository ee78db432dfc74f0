package retry

import (
	"math"
	"net/http"
	"strings"
	"time"
)

// ParseRetryAfter reads the value of a Retry-After header (RFC 9110 §10.2.3): seconds, or a date in any of the three formats of §5.6.7.
// now is what a date is counted from: best the Date of the same reply, so that a wrong clock on either side does no harm.
// A date in the past is a pause of zero, a number too large for a Duration the longest one. What is malformed, such as a negative number, is not ok.
func ParseRetryAfter(value string, now time.Time) (pause time.Duration, ok bool) {
	value = strings.Trim(value, " \t")
	if value == "" {
		return 0, false
	}
	if seconds, ok := ParseSeconds(value); ok {
		return seconds, true
	}
	at, ok := parseDate(value, now)
	if !ok {
		return 0, false
	}
	return max(0, at.Sub(now)), true
}

// ParseSeconds reads a whole number of seconds, digits only. One too large for a Duration is the longest one.
func ParseSeconds(value string) (time.Duration, bool) {
	const most = math.MaxInt64 / int64(time.Second)
	var n int64
	for i := range len(value) {
		c := value[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), most) // most·10 does not overflow
	}
	if n == most {
		return math.MaxInt64, true
	}
	return time.Duration(n) * time.Second, value != ""
}

// parseDate does not leave RFC 850 dates to net/http, which takes any three letters for a zone, and that for GMT, and turns the century at a fixed year.
func parseDate(value string, now time.Time) (time.Time, bool) {
	for _, layout := range [...]string{http.TimeFormat, time.ANSIC} {
		if at, err := time.Parse(layout, value); err == nil {
			return at, true
		}
	}
	at, err := time.Parse("Monday, 02-Jan-06 15:04:05 GMT", value)
	if err != nil {
		return time.Time{}, false
	}
	return century(at, now), true
}

// century reads the two-digit year of an RFC 850 date: more than 50 years in the future means the past (RFC 9110 §5.6.7).
func century(at, now time.Time) time.Time {
	now = now.UTC()
	at = at.AddDate(now.Year()/100*100-at.Year()/100*100, 0, 0)
	switch {
	case at.After(now.AddDate(50, 0, 0)):
		return at.AddDate(-100, 0, 0)
	case at.Before(now.AddDate(-50, 0, 0)):
		return at.AddDate(100, 0, 0)
	}
	return at
}
