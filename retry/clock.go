package retry

import (
	"context"
	"time"
)

// Clock is where the loop takes its time from. Functions at nil are the real ones. They must be safe for concurrent use.
type Clock struct {
	Now       func() time.Time                           // the wall clock; may jump
	Monotonic func() time.Duration                       // since any fixed moment; never goes back, but may stand still while the machine sleeps
	Sleep     func(context.Context, time.Duration) error // returns ctx's error when ctx ends first
}

var processStart = time.Now()

// WithDefaults returns c with the real clock in place of nil.
func (c Clock) WithDefaults() Clock {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Monotonic == nil {
		c.Monotonic = func() time.Duration { return time.Since(processStart) }
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	return c
}

func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stopwatch measures with both clocks and believes the one that went further: the monotonic clock stands still while a laptop
// or a virtual machine sleeps, the wall clock may be set back.
type stopwatch struct {
	wall      time.Time
	monotonic time.Duration
}

func startWatch(c Clock) stopwatch {
	return stopwatch{wall: c.Now().Round(0), monotonic: c.Monotonic()}
}

func (s stopwatch) elapsed(c Clock) time.Duration {
	// Round(0) drops Go's own monotonic reading, which would hide a jump.
	return max(0, c.Now().Round(0).Sub(s.wall), c.Monotonic()-s.monotonic)
}
