// Package broken holds stores that are wrong in exactly one way, each in a way in which real stores have been wrong.
// Its test asserts that package storetest catches every one, under the right clause.
package broken

import (
	"slices"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

// Store is a kind of store that breaks one clause.
type Store struct {
	Name    string
	Clause  string // under which the suite must report it
	Durable bool   // show it to the suite as a store that survives
	Break   func(*storetest.Rules)
}

// All returns the wrong stores.
func All() []Store {
	return slices.Concat(claims, steps, upkeep)
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
