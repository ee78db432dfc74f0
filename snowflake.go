package onceward

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// Errors of [Snowflake.Mint]. Nothing was minted.
var (
	// ErrClockBackwards: the clock shows less than at the last key. Minting on would repeat keys. Correct the clock, or wait until it has caught up.
	ErrClockBackwards = errors.New("no key minted, the clock has gone back")
	// ErrSequenceExhausted: 4096 keys were minted in this millisecond. Mint again in the next.
	ErrSequenceExhausted = errors.New("no key minted, 4096 were minted in this millisecond: try again in the next")
)

// SnowflakeEpoch is where the milliseconds of our Snowflakes start: 2026-01-01T00:00:00Z. They last until September 2095.
var SnowflakeEpoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// MaxSnowflakeNode is the largest node id.
const MaxSnowflakeNode = 1<<nodeBits - 1

const (
	millisBits   = 41
	nodeBits     = 10
	sequenceBits = 12
	snowflakeMs0 = 1767225600000 // SnowflakeEpoch; a constant, so that nobody can move it
)

// SnowflakeConfig configures a [Snowflake].
type SnowflakeConfig struct {
	Clock func() time.Time // default: time.Now
}

// Snowflake mints decimal numbers of 63 bits: 41 of milliseconds since SnowflakeEpoch, 10 of a node id, 12 of a sequence.
//
// Unlike the other kinds these keys hold no randomness: whoever runs them has the duty that no two minters that are alive, or that
// follow each other within a millisecond, have the same node id, and that a node's clock is not behind at a restart what
// it was before; nothing is persisted. Two minters that break it give two different requests one key, and the
// later one is refused as key-reused or, if the requests are equal, answered with the other's reply. Prefer [TypeID].
// The keys are guessable, too, which only the scope makes harmless.
//
// Mint is safe for concurrent use.
type Snowflake struct {
	node  int64
	clock func() time.Time

	mu       sync.Mutex
	last     int64 // milliseconds of the last key; -1: none
	sequence int64 // of the last key
}

// NewSnowflake returns a minter for node, which is 0 to MaxSnowflakeNode and has no default: see the duty in [Snowflake].
func NewSnowflake(node int, config SnowflakeConfig) (*Snowflake, error) {
	if node < 0 || node > MaxSnowflakeNode {
		return nil, fmt.Errorf("onceward: NewSnowflake: node is %d; use 0 to %d, unique among all minters of the service", node, MaxSnowflakeNode)
	}
	return &Snowflake{node: int64(node), clock: config.Clock, last: -1}, nil
}

// Mint returns a new key. It does not wait: it fails with ErrClockBackwards, ErrSequenceExhausted, or ErrClockRange before the epoch or after 2095.
func (s *Snowflake) Mint() (Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := readClock(s.clock).UnixMilli() - snowflakeMs0
	switch {
	case now < s.last:
		return Key{}, fmt.Errorf("%w by %d ms", ErrClockBackwards, s.last-now)
	case now < 0 || now >= 1<<millisBits:
		return Key{}, fmt.Errorf("%w: it is %d ms from %s; a Snowflake holds 41 bits of them", ErrClockRange, now, SnowflakeEpoch.Format(time.DateOnly))
	case now > s.last:
		s.last, s.sequence = now, 0
	case s.sequence == 1<<sequenceBits-1:
		return Key{}, ErrSequenceExhausted
	default:
		s.sequence++
	}
	id := s.last<<(nodeBits+sequenceBits) | s.node<<sequenceBits | s.sequence
	return Key{text: strconv.FormatInt(id, 10)}, nil
}
