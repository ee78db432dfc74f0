package storetest

import (
	"sync"
	"time"

	"github.com/onceward/onceward/store"
)

// Reference is the simplest right store: one mutex around a few maps, and the pure functions of package store.
// Read it before writing a store. It is slow where a store must not be: it visits every record for a listing, a count or a purge.
type Reference struct {
	cfg    ReferenceConfig
	mu     *sync.Mutex
	disk   *disk
	closed bool
}

// ReferenceConfig configures a [Reference].
type ReferenceConfig struct {
	Traits     store.Traits
	Clock      func() time.Time // default time.Now
	MaxRecords int              // default: no bound
	Rules      *Rules           // default: the right ones
}

// Rules are what a Reference goes by. Package broken takes [RightRules] and breaks one at a time.
type Rules struct {
	Claim     func(store.Record, store.ClaimRequest, store.Env) store.Step
	Advance   func(store.Record, store.AdvanceRequest, store.Env) store.Step
	Decide    func(store.Record, store.DecideRequest, store.Env) store.Step
	Now       func(last, now store.Time) store.Time // the store's clock, by what it has shown and what its source shows
	Purgeable func(store.Record, store.Time) bool
	Raise     func(have, until store.Time) store.Time // the watermark, by Seal
	SealTo    func(newest, now store.Time) store.Time // what a purge seals before it removes
	Mark      func(have, until store.Time) store.Time // the mark of a token that is released again
	Forget    func(until, now store.Time) bool        // whether a purge drops a mark
	ClaimGap  func(unlock, lock func())               // between the reading and the writing of a Claim
	StepGap   func(unlock, lock func())               // the same of an Advance or a Decide
	PurgeGap  func(unlock, lock func())               // not nil: a purge removes first, and seals after this
	Evict     bool                                    // a full store drops a record
	Deaf      bool                                    // nobody who waits is woken
	Amnesia   bool                                    // marks do not survive
}

// RightRules returns the rules of the contract.
func RightRules() Rules {
	return Rules{
		Claim:     store.Claim,
		Advance:   store.Advance,
		Decide:    store.Decide,
		Now:       func(last, now store.Time) store.Time { return max(last, now) },
		Purgeable: store.Record.Purgeable,
		Raise:     func(have, until store.Time) store.Time { return max(have, until) },
		SealTo:    func(newest, _ store.Time) store.Time { return newest },
		Mark:      laterMark,
		Forget:    func(until, now store.Time) bool { return now > until },
		ClaimGap:  func(_, _ func()) {},
		StepGap:   func(_, _ func()) {},
	}
}

// disk is what outlives a Reference.
type disk struct {
	*table
	last    store.Time
	changed chan struct{} // closed at the next change
}

// NewReference returns an empty store.
func NewReference(cfg ReferenceConfig) *Reference {
	return &Reference{cfg: cfg.withDefaults(), mu: new(sync.Mutex), disk: &disk{table: newTable(), changed: make(chan struct{})}}
}

// Reopen returns a store over the same records, as if r had been closed, or killed, and opened again.
func (r *Reference) Reopen() *Reference {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.cfg.Rules.Amnesia {
		clear(r.disk.marks)
	}
	return &Reference{cfg: r.cfg, mu: r.mu, disk: r.disk}
}

func (cfg ReferenceConfig) withDefaults() ReferenceConfig {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Rules == nil {
		right := RightRules()
		cfg.Rules = &right
	}
	return cfg
}
