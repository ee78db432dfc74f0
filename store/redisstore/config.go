package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Defaults of a [Config].
const (
	DefaultPrefix  = "onceward"
	DefaultShards  = 16
	DefaultTimeout = 2 * time.Second

	DefaultMaxReply = 8 << 20
)

const maxShards = 1024

// Config configures a [Store]. Its zero value is right for one server.
type Config struct {
	// Prefix is what the names of all keys begin with, in braces with their shard. Stores with different prefixes know nothing of each other. A colon ends it,
	// so that no prefix, in the rules of [Grants], covers another one. Default "onceward".
	Prefix string

	// Shards is over how many hash tags a new store spreads its records. It is written down in the database when the store is laid out, and what stands there
	// counts. Default 16.
	Shards int

	// Timeout bounds every call, also where the server hangs. Default 2 s; a context that ends before that ends the call.
	Timeout time.Duration

	// MaxReply is how many bytes a reply may have, encoded, to be kept; a server whose proto-max-bulk-len is smaller keeps less: see [store.Traits].MaxReply. All steps of a process
	// share a connection to each server, so a reply must pass through it well within Timeout. Default 8 MiB.
	MaxReply int

	// AllowLossyFailover accepts that behind Sentinel, and in a Cluster, an acknowledged claim may be forgotten in a failover, and its operation run twice.
	// Without it such a store refuses claims under MarkUnknown, whose promise this breaks.
	AllowLossyFailover bool

	// WaitReplicas is how many replicas must have a step before it counts as done. It narrows what a failover can forget, and does not close it: Redis may promote a replica
	// that is none of them. A step that too few have is answered with an error, and repeated by who sent it. Default 0.
	WaitReplicas int

	// Poll is the longest time between two looks at a record that somebody waits for, in case that the news of its change is lost. Default 1 s.
	Poll time.Duration

	// Existing refuses a database in which no store was laid out, instead of laying one out: for whoever only looks, or seals. The error is [ErrNoStore].
	Existing bool

	bucket   time.Duration // how much of the purge times one list of done records covers; tests set it, see span
	unsealed bool          // keys that were minted before a new store was laid out are admitted; tests set it
	movable  bool          // the clock has an offset that stands beside the data, in milliseconds; tests set it
}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.Shards == 0 {
		c.Shards = DefaultShards
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxReply == 0 {
		c.MaxReply = DefaultMaxReply
	}
	if c.Poll == 0 {
		c.Poll = time.Second
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	require := func(ok bool, field string, value any, rule string) {
		if !ok {
			faults = append(faults, fmt.Errorf("redisstore: %s is %v: it %s", field, value, rule))
		}
	}
	require(!strings.ContainsAny(c.Prefix, "{}*?[]\\: ") && len(c.Prefix) <= 64, "Prefix", c.Prefix, "must have at most 64 bytes, and no braces, colons, spaces or wildcards")
	require(c.Shards >= 1 && c.Shards <= maxShards, "Shards", c.Shards, "must be 1 to 1024")
	require(c.Timeout >= time.Millisecond, "Timeout", c.Timeout, "must be at least 1ms")
	require(c.MaxReply >= 0, "MaxReply", c.MaxReply, "must not be negative")
	require(c.WaitReplicas >= 0, "WaitReplicas", c.WaitReplicas, "must not be negative")
	require(c.Poll >= time.Millisecond, "Poll", c.Poll, "must be at least 1ms")
	return errors.Join(faults...)
}
