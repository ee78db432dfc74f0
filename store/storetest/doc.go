// Package storetest is the conformance suite that every store is held to.
//
// An author of a store writes one test:
//
//	func TestConformance(t *testing.T) {
//		clock := …
//		storetest.Run(t, storetest.Harness{
//			New:     func(t testing.TB) store.Store { … },
//			Traits:  store.Traits{Name: "mine", …},
//			Advance: func(t testing.TB, s store.Store, d time.Duration) { clock.Advance(d) },
//		})
//	}
//
// Every case begins with the number of the clause in package store that it holds the store to: C7_… fails, read C7.
// X2_random drives the store with random sequences and compares every answer, field by field, with what the pure functions of
// package store say at the time that the store answered. It prints its seed and the shortest failing history that it could find.
//
// Environment:
//
//	ONCEWARD_SEED=n   the first seed of the random sequences (default 1)
//	ONCEWARD_SOAK=1   many more and longer sequences
//
// [Reference] is the simplest right store, and package broken holds wrong ones that the suite must catch.
package storetest
