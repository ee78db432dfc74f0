package memstore

import (
	"math"
	"time"
)

// Defaults of a [Config].
const (
	DefaultMaxRecords = 1_000_000
	DefaultMaxBytes   = 256 << 20
	DefaultTrailSize  = 4096
)

// NoLimit as MaxRecords or MaxBytes sets no bound. The process then grows until the system ends it.
const NoLimit = math.MaxInt64

// Config configures a [Store]. No value is wrong: zero and negative numbers mean the default.
type Config struct {
	// MaxRecords is how many records may stand, open and done together. Default 1,000,000.
	MaxRecords int64

	// MaxBytes is how many bytes the records may take, with their keys and replies, what the store spends on each, the room that
	// open records reserve for their replies, and the marks of released tokens. Default 256 MiB. Takeovers, marks and what is already
	// accepted may pass the bound by a little; new records may not. The trail and the waiters are not counted.
	MaxBytes int64

	// TrailSize is how many entries of the audit trail are kept; then the oldest gives way to the newest. Default 4096.
	// The bound is this store's alone: a store that keeps its records on disk keeps the whole trail.
	TrailSize int

	// Clock is the store's clock. Default time.Now. If it goes back, the store's time stands still until it has caught up.
	Clock func() time.Time
}

func (c Config) withDefaults() Config {
	if c.MaxRecords <= 0 {
		c.MaxRecords = DefaultMaxRecords
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.TrailSize <= 0 {
		c.TrailSize = DefaultTrailSize
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}
