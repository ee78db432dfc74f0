package retry

import (
	"errors"
	"fmt"
	"time"
)

// Policy says how often and when an operation is sent again. The zero value is the default one. Fields at zero take their defaults.
type Policy struct {
	Attempts       int           // sends in all, polls not counted; default 4, at most MaxAttempts
	AttemptTimeout time.Duration // for one attempt, the reading of the whole reply included; default 5 s
	Base           time.Duration // upper end of the first wait after a transient failure; doubles; default 50 ms
	OverloadBase   time.Duration // the same when the server said that it has too much to do; default 1 s
	Cap            time.Duration // upper end of any wait of our own choice; default 10 s
	RetryAfterCap  time.Duration // a server that asks for a longer pause ends the loop; default 30 s
	PollInterval   time.Duration // mean pause before asking again for an operation in progress; default 500 ms
}

// Bounds of a Policy. They keep Horizon far from overflowing.
const (
	MaxAttempts = 100
	MaxPause    = 7 * 24 * time.Hour // for every duration
)

// WithDefaults returns p with its zero fields set.
func (p Policy) WithDefaults() Policy {
	if p.Attempts == 0 {
		p.Attempts = 4
	}
	orDefault(&p.AttemptTimeout, 5*time.Second)
	orDefault(&p.Base, 50*time.Millisecond)
	orDefault(&p.OverloadBase, time.Second)
	orDefault(&p.Cap, 10*time.Second)
	orDefault(&p.RetryAfterCap, 30*time.Second)
	orDefault(&p.PollInterval, 500*time.Millisecond)
	return p
}

func orDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Validate reports every fault of p, zero fields taken as their defaults.
func (p Policy) Validate() error {
	p = p.WithDefaults()
	var faults []error
	if p.Attempts < 1 || p.Attempts > MaxAttempts {
		faults = append(faults, fmt.Errorf("retry: Policy.Attempts is %d; use 1 to %d", p.Attempts, MaxAttempts))
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"AttemptTimeout", p.AttemptTimeout}, {"Base", p.Base}, {"OverloadBase", p.OverloadBase}, {"Cap", p.Cap},
		{"RetryAfterCap", p.RetryAfterCap}, {"PollInterval", p.PollInterval},
	} {
		if f.value < 0 || f.value > MaxPause {
			faults = append(faults, fmt.Errorf("retry: Policy.%s is %v; use more than 0 and at most %v", f.name, f.value, MaxPause))
		}
	}
	return errors.Join(faults...)
}

// Horizon is the longest time for which one run of the loop goes on: all timeouts and all waits at their longest,
//
//	Attempts·AttemptTimeout + Σ (RetryAfterCap + min(Cap, max(Base, OverloadBase)·2ⁿ)) for n = 0 … Attempts−2
//
// which is 117 s by default. Polls do not lengthen it: the loop ends at its horizon, whatever it is doing.
func (p Policy) Horizon() time.Duration {
	p = p.WithDefaults()
	total := time.Duration(p.Attempts) * p.AttemptTimeout
	for n := range min(p.Attempts, MaxAttempts) - 1 {
		total += p.RetryAfterCap + ceiling(max(p.Base, p.OverloadBase), p.Cap, n)
	}
	return total
}
