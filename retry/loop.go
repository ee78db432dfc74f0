package retry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/onceward/onceward"
)

// DefaultWindow is how long a server is assumed to remember a key until it says otherwise.
const DefaultWindow = 24 * time.Hour

// Config configures a [Loop]. Fields at zero take their defaults.
type Config struct {
	Policy   Policy
	Budget   *Budget        // default: one of its own, with the default configuration
	Window   time.Duration  // how long servers are assumed to remember a key; default DefaultWindow. A policy that goes on longer is refused
	Clock    Clock          // default: the real one
	Rand     func() float64 // in [0, 1), for jitter, safe for concurrent use; default math/rand/v2.Float64
	Observer Observer       // default: nobody is told
}

// Loop sends operations until their fate is known or its policy ends it. It is immutable and safe for concurrent use.
type Loop struct {
	config  Config
	horizon time.Duration
}

// New returns a Loop or all faults of its configuration.
func New(c Config) (*Loop, error) {
	faults := []error{c.Policy.Validate()}
	c.Policy = c.Policy.WithDefaults()
	c.Clock = c.Clock.WithDefaults()
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	horizon := c.Policy.Horizon()
	if c.Window < 0 {
		faults = append(faults, fmt.Errorf("retry: Config.Window is %v; use more than 0", c.Window))
	} else if horizon > c.Window {
		faults = append(faults, fmt.Errorf("retry: Config.Policy goes on for %v, longer than Config.Window, %v: the server would forget the key and run the request again; shorten the policy", horizon, c.Window))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if c.Budget == nil {
		c.Budget, _ = NewBudget(BudgetConfig{Clock: c.Clock}) // defaults cannot be wrong
	}
	return &Loop{config: c, horizon: horizon}, nil
}

// Kind says what makes it safe to send an operation again.
type Kind uint8

// The kinds.
const (
	Keyed   Kind = iota // its key
	Safe                // its method has no effect (RFC 9110 §9.2.1); a whole reply is then always an answer
	Unkeyed             // nothing: sent again only with proof that it was not sent
)

// Operation is what the loop needs to know of an operation.
type Operation struct {
	Key     onceward.Key
	Kind    Kind
	Minted  bool     // the key was minted for this operation, so nobody else has used it; false: the caller's own
	Host    string   // whose budget its retries take from
	History *History // of all sends; nil: this is the only one
}

// Until is the age of the key up to which a run that starts now may go on: what the client tells the server as its horizon.
func (l *Loop) Until(h *History) time.Duration {
	return min(h.age(l.config.Clock)+l.horizon, l.window(h))
}

func (l *Loop) window(h *History) time.Duration {
	if told := h.Window(); told > 0 {
		return min(told, l.config.Window)
	}
	return l.config.Window
}

// Do calls try until an attempt ends finally or the policy, ctx, the budget, the horizon or the window ends the loop.
// Each attempt has a context of its own with the policy's timeout; number counts from 1.
//
// The error is nil only if the reply is the operation's answer. Otherwise it is an *[Error] with the operation's fate, and the reply is the
// last whole one there was, or R's zero value.
func Do[R any](ctx context.Context, l *Loop, op Operation, try func(ctx context.Context, number int) (R, Ending)) (R, error) {
	var kept R
	r := l.begin(op)
	defer r.abandon()
	for stop := r.mayBegin(ctx); ; stop = r.pause(ctx) {
		if stop != nil {
			return kept, r.stop(ctx, stop)
		}
		reply, ending := attempt(ctx, r, try)
		if ending.Replied {
			kept = reply
		}
		if r.record(ctx, ending) == Final {
			return kept, r.finish(ctx)
		}
	}
}

func attempt[R any](ctx context.Context, r *run, try func(context.Context, int) (R, Ending)) (R, Ending) {
	// The attempt may not outlive the horizon either.
	timeout := min(r.policy().AttemptTimeout, r.left())
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, ErrAttemptTimeout)
	defer cancel()
	r.count++
	r.now = Attempt{Number: r.count, Start: r.loop.config.Clock.Now()}
	r.watch = startWatch(r.loop.config.Clock)
	return try(ctx, r.count)
}

// Interrupted is the ending of an attempt whose transport failed with err before there was a whole reply. ctx is the attempt's;
// notSent is proof that nothing left this side.
func Interrupted(ctx context.Context, err error, notSent bool) Ending {
	switch {
	case notSent:
		return Ending{End: EndNotSent, Err: err}
	case errors.Is(context.Cause(ctx), ErrAttemptTimeout):
		return Ending{End: EndAttemptTimeout} // err only says that a deadline was over, which a caller would take for its own
	case ctx.Err() != nil:
		return Ending{End: EndCancelled, Err: errors.Join(err, ended(ctx, ctx.Err()))}
	}
	return Ending{End: EndCutOff, Err: err}
}
