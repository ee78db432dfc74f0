package onceward

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/onceward/onceward/store"
)

// Policy says what it means that a started run's lease lapses without a reply. See [MarkUnknown] and [Rerun].
type Policy = store.Policy

// The policies.
const (
	MarkUnknown = store.MarkUnknown // at most once: the record is held as unknown until somebody resolves it
	Rerun       = store.Rerun       // at least once: for functions that are idempotent themselves or pass child keys on
)

// Values for fields of [Config] whose zero means the default.
const (
	NoWait        = time.Duration(-1) // Wait: a duplicate in flight is answered at once
	NoMaintenance = time.Duration(-1) // MaintainEvery: somebody else purges this store
)

// Defaults of [Config].
const (
	DefaultWindow        = 24 * time.Hour
	DefaultSkew          = 5 * time.Minute
	DefaultLease         = 30 * time.Second
	DefaultWait          = 2 * time.Second
	DefaultHandlerLimit  = time.Minute
	DefaultStoreTimeout  = 2 * time.Second
	DefaultSaveLimit     = 5 * time.Second
	DefaultMaxReply      = 1 << 20
	DefaultReserve       = 16 << 10
	DefaultMaxUnsettled  = 10_000
	DefaultMaintainEvery = time.Minute
)

// Config is the configuration of a [Guard]. The zero value of each field means its default. Immutable once given to [New].
type Config struct {
	// Per route; see [Guard.With].

	OnLapse       Policy        // default MarkUnknown; written into each record at its first claim
	ExplicitStart bool          // the function calls Start itself; what comes before it runs again safely
	Lease         time.Duration // default 30 s, renewed at a third; longer than StoreTimeout
	Wait          time.Duration // default 2 s, for a duplicate in flight; keep it below the clients' attempt timeout. NoWait: answer at once
	HandlerLimit  time.Duration // default 1 min: then the function's context is cancelled and its lease no longer renewed
	MaxReply      int           // default 1 MiB, encoded; a larger reply is answered once and not kept
	Reserve       int           // default 16 KiB: room that a claim reserves in a bounded store for its reply

	Observer Observer // default: nobody is told

	// Per service.

	Window     time.Duration // default 24 h: how long a key is remembered after its completion
	Skew       time.Duration // default 5 min: allowance for clocks that differ and for stalls, added to the window
	UUIDv7Aged bool          // take the time in a UUIDv7 key for its mint time. Only if no client sends an old entity's id as a key

	// Per process.

	StoreTimeout  time.Duration // default 2 s: bound of one call on the store
	SaveLimit     time.Duration // default 5 s: how long a caller waits for its reply to be saved; then saving goes on behind its back
	MaxUnsettled  int           // default 10,000 releases and saves that wait for the store; beyond it new calls are refused
	MaintainEvery time.Duration // default 1 min; NoMaintenance: never
	Rand          io.Reader     // default crypto/rand: tokens
}

func (c Config) withDefaults() Config {
	durations := []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Lease, DefaultLease}, {&c.Wait, DefaultWait}, {&c.HandlerLimit, DefaultHandlerLimit},
		{&c.Window, DefaultWindow}, {&c.Skew, DefaultSkew}, {&c.StoreTimeout, DefaultStoreTimeout},
		{&c.SaveLimit, DefaultSaveLimit}, {&c.MaintainEvery, DefaultMaintainEvery},
	}
	for _, d := range durations {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	ints := []struct {
		field *int
		value int
	}{{&c.MaxReply, DefaultMaxReply}, {&c.Reserve, DefaultReserve}, {&c.MaxUnsettled, DefaultMaxUnsettled}}
	for _, i := range ints {
		if *i.field == 0 {
			*i.field = i.value
		}
	}
	if reserved := c.Reserve; reserved == DefaultReserve && c.MaxReply > 0 {
		c.Reserve = min(reserved, c.MaxReply)
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return c
}

// validate names every fault at once.
func (c Config) validate() error {
	var faults []error
	require := func(ok bool, field string, value any, rule string) {
		if !ok {
			faults = append(faults, fmt.Errorf("Config.%s = %v: %s", field, value, rule))
		}
	}
	require(c.OnLapse == MarkUnknown || c.OnLapse == Rerun, "OnLapse", c.OnLapse, "must be MarkUnknown or Rerun")
	require(c.StoreTimeout >= time.Millisecond, "StoreTimeout", c.StoreTimeout, "must be at least 1ms")
	require(c.Lease > c.StoreTimeout, "Lease", c.Lease, "must be longer than StoreTimeout, or a claim could lapse before its owner learns of it")
	require(c.Wait >= 0 || c.Wait == NoWait, "Wait", c.Wait, "must be positive, or NoWait")
	require(c.HandlerLimit > 0, "HandlerLimit", c.HandlerLimit, "must be positive")
	require(c.MaxReply > 0, "MaxReply", c.MaxReply, "must be positive")
	require(c.Reserve >= 0, "Reserve", c.Reserve, "must not be negative")
	require(c.Window >= time.Second, "Window", c.Window, "must be at least 1s")
	require(c.Skew > 0, "Skew", c.Skew, "must be positive")
	require(c.SaveLimit > 0, "SaveLimit", c.SaveLimit, "must be positive")
	require(c.MaxUnsettled > 0, "MaxUnsettled", c.MaxUnsettled, "must be positive")
	require(c.MaintainEvery > 0 || c.MaintainEvery == NoMaintenance, "MaintainEvery", c.MaintainEvery, "must be positive, or NoMaintenance")
	if len(faults) == 0 {
		return nil
	}
	return &Error{Op: "new", Err: ErrConfig, Cause: errors.Join(faults...)}
}
