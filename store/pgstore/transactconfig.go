package pgstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
)

// DefaultAttempts is the default of [TransactConfig].Attempts.
const DefaultAttempts = 4

// TransactConfig configures a [Transactor] or [SQLTransactor]. The zero value of each field means its default. Immutable once given away.
type TransactConfig struct {
	Schema    string         // where the tables are; default [DefaultSchema]
	Isolation pgx.TxIsoLevel // default pgx.ReadCommitted. At the others a duplicate that has waited begins anew: a round trip more
	Attempts  int            // default 4: how often the function may run within one call, when the database asks for another try

	Wait         time.Duration // default 2 s, for a duplicate in flight; keep it below the clients' attempt timeout. onceward.NoWait: answer at once
	HandlerLimit time.Duration // default 1 min, for all attempts of a call: then the function's context is cancelled
	StoreTimeout time.Duration // default 2 s: bound of one round trip of ours, and of waiting for a connection of the pool
	SaveLimit    time.Duration // default 5 s: for how long a commit whose answer was lost is asked for
	MaxReply     int           // default 1 MiB, encoded; a larger reply is answered once and not kept

	Window     time.Duration // default 24 h: how long a key is remembered after its completion
	Skew       time.Duration // default 5 min: allowance for clocks that differ and for stalls, added to the window
	UUIDv7Aged bool          // take the time in a UUIDv7 key for its mint time. Only if no client sends an old entity's id as a key

	MaintainEvery time.Duration // default 1 min: how often records that are over are removed; onceward.NoMaintenance: never

	Observer onceward.Observer // default: nobody is told
	Rand     io.Reader         // default crypto/rand: tokens

	clock string // SQL for the server's time in milliseconds; tests set it
}

func (c TransactConfig) withDefaults() (TransactConfig, error) {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Wait, onceward.DefaultWait}, {&c.HandlerLimit, onceward.DefaultHandlerLimit}, {&c.StoreTimeout, onceward.DefaultStoreTimeout},
		{&c.SaveLimit, onceward.DefaultSaveLimit}, {&c.Window, onceward.DefaultWindow}, {&c.Skew, onceward.DefaultSkew},
		{&c.MaintainEvery, onceward.DefaultMaintainEvery},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Isolation == "" {
		c.Isolation = pgx.ReadCommitted
	}
	if c.Attempts == 0 {
		c.Attempts = DefaultAttempts
	}
	if c.MaxReply == 0 {
		c.MaxReply = onceward.DefaultMaxReply
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.clock == "" {
		c.clock = wallClock
	}
	schema, err := schemaName(c.Schema)
	c.Schema = schema
	return c, errors.Join(err, c.validate())
}

const maxWindow = 10 * 365 * 24 * time.Hour

// validate names every fault at once.
func (c TransactConfig) validate() error {
	var faults []error
	require := func(ok bool, field string, value any, rule string) {
		if !ok {
			faults = append(faults, fmt.Errorf("TransactConfig.%s = %v: %s", field, value, rule))
		}
	}
	known := c.Isolation == pgx.ReadCommitted || c.Isolation == pgx.RepeatableRead || c.Isolation == pgx.Serializable
	require(known, "Isolation", c.Isolation, "must be pgx.ReadCommitted, pgx.RepeatableRead or pgx.Serializable")
	require(c.Attempts > 0, "Attempts", c.Attempts, "must be positive")
	require(c.Wait >= 0 || c.Wait == onceward.NoWait, "Wait", c.Wait, "must be positive, or onceward.NoWait")
	require(c.HandlerLimit > 0, "HandlerLimit", c.HandlerLimit, "must be positive")
	require(c.StoreTimeout >= time.Millisecond, "StoreTimeout", c.StoreTimeout, "must be at least 1ms")
	require(c.SaveLimit > 0, "SaveLimit", c.SaveLimit, "must be positive")
	require(c.MaxReply > 0, "MaxReply", c.MaxReply, "must be positive")
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"Wait", c.Wait}, {"HandlerLimit", c.HandlerLimit}, {"StoreTimeout", c.StoreTimeout}, {"SaveLimit", c.SaveLimit}, {"Skew", c.Skew}} {
		require(d.value <= 24*time.Hour, d.field, d.value, "must be at most 24h")
	}
	require(c.Window <= maxWindow, "Window", c.Window, "must be at most 10 years")
	if c.Isolation != pgx.ReadCommitted && c.Window <= maxWindow { // who runs on an old snapshot must lose against a record that is still there
		require(c.Window+c.Skew > max(c.Wait, 0)+c.HandlerLimit+c.SaveLimit, "Window", c.Window, "with Skew, must be longer than Wait, HandlerLimit and SaveLimit together at this isolation")
	}
	require(c.Window >= time.Second, "Window", c.Window, "must be at least 1s")
	require(c.Skew > 0, "Skew", c.Skew, "must be positive")
	require(c.MaintainEvery > 0 || c.MaintainEvery == onceward.NoMaintenance, "MaintainEvery", c.MaintainEvery, "must be positive, or onceward.NoMaintenance")
	if len(faults) == 0 {
		return nil
	}
	return &onceward.Error{Op: "new", Err: onceward.ErrConfig, Cause: errors.Join(faults...)}
}
