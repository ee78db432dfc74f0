package storetest

import (
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// Harness tells the suite how to handle one kind of store. New and Traits are required.
// What a harness leaves out is never skipped in silence: each field says what the suite does then.
type Harness struct {
	// New opens a fresh and empty store. The suite closes it.
	New func(t testing.TB) store.Store

	// Traits is what the store must say of itself. A capability that is missing is asserted to be refused.
	Traits store.Traits

	// Reopen closes the store cleanly and opens it again. Nil: the store keeps nothing, so Traits.Survives must say so.
	Reopen func(t testing.TB, s store.Store) store.Store

	// Crash ends the store without a Close, as a kill does, or a loss of power if Traits says SurvivesPowerLoss, and opens it
	// again. Nil: the store keeps nothing, or Uncrashable says why this test cannot crash it.
	Crash       func(t testing.TB, s store.Store) store.Store
	Uncrashable string // for people; logged

	// Advance moves the store's clock forward by d; how is the author's business. Nil: the suite waits in real time,
	// with leases and windows of a few milliseconds, and covers the same cases.
	Advance func(t testing.TB, s store.Store, d time.Duration)

	// StepBack sets the clock from which the store takes its time back by d, as a bad time server does. Nil: it
	// cannot be set, and X4 logs that this half is not covered.
	StepBack func(t testing.TB, s store.Store, d time.Duration)

	// PurgeLag is how long after its PurgeAt a record may outstay a Purge, for stores that remove whole buckets. Zero: not at all.
	PurgeLag time.Duration

	// PurgeWhole says that the store removes whole buckets, and so more records at once than Purge's limit.
	PurgeWhole bool

	// Full opens a fresh and empty store with room for at least 8 and at most 1,000 records.
	// Nil: the store has no bound of its own, so its Stats must say so.
	Full func(t testing.TB) store.Store
}

// Run holds the store to every clause of the contract.
func Run(t *testing.T, h Harness) {
	t.Helper()
	h.validate(t)
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, h) })
	}
}

// validate fails on a harness that could not prove what its Traits claim.
func (h Harness) validate(t testing.TB) {
	t.Helper()
	if h.New == nil {
		t.Fatal("Harness.New is nil: give a function that opens a fresh and empty store")
	}
	switch lives := h.Traits.Survives >= store.SurvivesCrash; {
	case lives && h.Reopen == nil:
		t.Errorf("Traits.Survives is %d, but Harness.Reopen is nil: give it, so that X3 can be shown", h.Traits.Survives)
	case lives && h.Crash == nil && h.Uncrashable == "":
		t.Errorf("Traits.Survives is %d, but Harness.Crash is nil: give it, or say in Uncrashable why not", h.Traits.Survives)
	case !lives && (h.Reopen != nil || h.Crash != nil):
		t.Errorf("Traits.Survives says that nothing survives, but the harness has Reopen or Crash: one of them is wrong")
	}
	if h.PurgeLag < 0 {
		t.Errorf("PurgeLag is %v: it must not be negative", h.PurgeLag)
	}
}
