package retry

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestHorizonIsTheSumOfAllTimeoutsAndWaits(t *testing.T) {
	// 4·5 s + 3·30 s + 1 s + 2 s + 4 s
	if got := (Policy{}).Horizon(); got != 117*time.Second {
		t.Errorf("default horizon %v, want 117s", got)
	}
	p := Policy{Attempts: 3, AttemptTimeout: time.Second, Base: 4 * time.Second, OverloadBase: time.Second, Cap: 5 * time.Second, RetryAfterCap: 2 * time.Second}
	if got := p.Horizon(); got != (3+2+4+2+5)*time.Second {
		t.Errorf("horizon %v, want 16s", got)
	}
	if got := (Policy{Attempts: MaxAttempts, AttemptTimeout: MaxPause, Cap: MaxPause, RetryAfterCap: MaxPause, OverloadBase: MaxPause}).Horizon(); got <= 0 {
		t.Errorf("the largest policy overflows: %v", got)
	}
}

func TestPolicyReportsEveryFault(t *testing.T) {
	err := Policy{Attempts: -1, AttemptTimeout: -1, Base: -1, OverloadBase: MaxPause + 1, Cap: -1, RetryAfterCap: -1, PollInterval: -1}.Validate()
	for _, field := range []string{"Attempts", "AttemptTimeout", "Base", "OverloadBase", "Cap", "RetryAfterCap", "PollInterval"} {
		if err == nil || !strings.Contains(err.Error(), "Policy."+field+" is ") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
	if err := (Policy{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestBackoffIsFullJitterBelowTheCap(t *testing.T) {
	for n, top := range []time.Duration{50, 100, 200, 400, 500, 500} {
		if got := backoff(50, 500, n, 0); got != 0 {
			t.Errorf("%d: the lowest wait is %v, want 0", n, got)
		}
		if got := backoff(50, 500, n, 0.5); got != top/2 {
			t.Errorf("%d: the middle wait is %v, want %v", n, got, top/2)
		}
	}
	if got := ceiling(1, math.MaxInt64, 10_000); got <= 0 {
		t.Errorf("overflow: %v", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, time.November, 8, 8, 49, 0, 0, time.UTC)
	for _, c := range []struct {
		value string
		want  time.Duration
		ok    bool
	}{
		{"0", 0, true}, {"7", 7 * time.Second, true}, {" 7 ", 7 * time.Second, true}, {"007", 7 * time.Second, true},
		{"Sun, 08 Nov 2026 08:49:37 GMT", 37 * time.Second, true},
		{"Sunday, 08-Nov-26 08:49:37 GMT", 37 * time.Second, true},
		{"Sun Nov  8 08:49:37 2026", 37 * time.Second, true},
		{"Sun, 08 Nov 2026 08:48:00 GMT", 0, true},
		{"Tuesday, 08-Nov-77 08:49:00 GMT", 0, true}, // 51 years ahead: 1977
		{"Sunday, 08-Nov-76 08:48:00 GMT", now.AddDate(50, 0, 0).Sub(now) - time.Minute, true},
		{"9223372036", math.MaxInt64, true}, // the last whole second of a Duration counts as too large
		{"99999999999999999999999999", math.MaxInt64, true},
		{"Sunday, 08-Nov-26 08:49:37 PST", 0, false}, // a date is GMT
		{"-1", 0, false}, {"1.5", 0, false}, {"1s", 0, false}, {"", 0, false}, {"soon", 0, false}, {"+3", 0, false},
	} {
		got, ok := ParseRetryAfter(c.value, now)
		if got != c.want || ok != c.ok {
			t.Errorf("%q: %v %v, want %v %v", c.value, got, ok, c.want, c.ok)
		}
	}
}
