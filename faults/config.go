package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ErrConfig is in every error of [New].
var ErrConfig = errors.New("faults: invalid configuration")

// Defaults and bounds of a Config's limits.
const (
	DefaultMaxBody       = 1 << 20 // bytes
	LargestMaxBody       = 1 << 30 // bytes
	DefaultMaxIdentities = 1 << 17
	MinIdentities        = 2
)

// Config says how a [Network] misbehaves. New copies it; later changes have no effect.
type Config struct {
	// Seed chooses the decisions. Every value is a seed, also zero.
	Seed uint64

	// Faults may strike; their order means nothing. None: a network without faults. A fault may be given once.
	// The probabilities of those that end an exchange (lose-request, lose-reply, cut-reply, reset, hang) add up to at most 1.
	Faults []Fault

	// Only names the requests that faults may strike, in the notation of http.ServeMux, like "POST /transfers/{id}" or "/transfers/". The
	// others pass untouched and are not counted as arrivals; so does what ServeMux would redirect to a pattern. Default: all requests.
	Only []string

	// Identity names what a request is a copy of: sends of one operation have one identity.
	// Default: the Idempotency-Key; without one, method and path.
	Identity func(*http.Request) string

	// Log is told every fault that strikes, before it does, one call at a time. It must not block. Default: nobody is told.
	Log func(Event)

	// Sleep waits for d or until ctx ends, and then returns ctx's error. Default: a timer.
	Sleep func(ctx context.Context, d time.Duration) error

	// MaxBody is the most bytes that are kept of a request, to deliver it twice or late, and of a reply, to cut it. A fault that needs
	// the whole request is skipped when it is larger, and the request passes through. Default: DefaultMaxBody; at most
	// LargestMaxBody.
	MaxBody int

	// MaxIdentities is how many identities are counted at most. At least the latest half of them are: an identity that
	// was forgotten starts again from its first arrival. Default: DefaultMaxIdentities; at least MinIdentities.
	MaxIdentities int
}

func (c Config) withDefaults() Config {
	c.Faults = inOrder(c.Faults)
	if c.Identity == nil {
		c.Identity = identityOf
	}
	if c.Log == nil {
		c.Log = func(Event) {}
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.MaxIdentities == 0 {
		c.MaxIdentities = DefaultMaxIdentities
	}
	return c
}

// validate reports everything that is wrong, so that one run is enough to mend it.
func (c Config) validate(upstream http.Handler, only error) error {
	var wrong []error
	if upstream == nil {
		wrong = append(wrong, errors.New("upstream is nil: give the handler that requests are delivered to"))
	}
	if c.MaxBody < 0 || c.MaxBody > LargestMaxBody {
		wrong = append(wrong, fmt.Errorf("MaxBody is %d: must be from 1 to %d bytes, or 0 for the default", c.MaxBody, LargestMaxBody))
	}
	if c.MaxIdentities < MinIdentities {
		wrong = append(wrong, fmt.Errorf("MaxIdentities is %d: must be at least %d, or 0 for the default", c.MaxIdentities, MinIdentities))
	}
	if err := errors.Join(only, validateFaults(c.Faults)); err != nil {
		wrong = append(wrong, err)
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.Join(append([]error{ErrConfig}, wrong...)...)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// identityOf is the default of Config.Identity. The prefixes keep a key from naming a path.
func identityOf(r *http.Request) string {
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		return "key " + key
	}
	return "path " + r.Method + " " + r.URL.Path
}
