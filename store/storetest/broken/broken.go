// Package broken holds stores that are wrong in exactly one way, each in a way in which real stores have been wrong.
// Its test asserts that package storetest catches every one, under the right clause.
package broken

import (
	"slices"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

// Store is a kind of store that breaks one clause: by another rule than the contract's, or by what it puts in front of a right store.
type Store struct {
	Name    string
	Clause  string // under which the suite must report it
	Durable bool   // show it to the suite as a store that survives
	Break   func(*storetest.Rules)
	Front   func(store.Store) store.Store // nil: nothing
}

// New returns a Reference that goes by the changed rules, behind the front.
func (b Store) New(cfg storetest.ReferenceConfig) store.Store {
	rules := storetest.RightRules()
	if b.Break != nil {
		b.Break(&rules)
	}
	cfg.Rules = &rules
	right := storetest.NewReference(cfg)
	if b.Front == nil {
		return right
	}
	return b.Front(right)
}

// All returns the wrong stores.
func All() []Store {
	return slices.Concat(claims, steps, upkeep, fronts)
}

// claim makes a break out of another Claim, which may call the right one.
func claim(wrong func(store.Record, store.ClaimRequest, store.Env) store.Step) func(*storetest.Rules) {
	return func(r *storetest.Rules) { r.Claim = wrong }
}

func advance(wrong func(store.Record, store.AdvanceRequest, store.Env) store.Step) func(*storetest.Rules) {
	return func(r *storetest.Rules) { r.Advance = wrong }
}

func decide(wrong func(store.Record, store.DecideRequest, store.Env) store.Step) func(*storetest.Rules) {
	return func(r *storetest.Rules) { r.Decide = wrong }
}

// race gives other callers, for d, the time that a missing lock gives them.
func race(d time.Duration) func(unlock, lock func()) {
	return func(unlock, lock func()) {
		unlock()
		time.Sleep(d)
		lock()
	}
}
