package broken_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
	"github.com/onceward/onceward/store/storetest/broken"
)

// TestEveryWrongStoreIsCaught under the clause that it breaks.
func TestEveryWrongStoreIsCaught(t *testing.T) {
	for _, b := range broken.All() {
		t.Run(strings.ReplaceAll(b.Name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			failed := storetest.Failures(t, harness(b), nil)
			var names []string
			for _, f := range failed {
				names = append(names, f.Case.Name)
				if f.Case.Clause() == b.Clause && len(f.Messages) > 0 {
					t.Logf("%s: %s", f.Case.Name, f.Messages[0])
				}
			}
			if !slices.ContainsFunc(failed, func(f storetest.Failure) bool { return f.Case.Clause() == b.Clause }) {
				t.Errorf("not caught under %s; failed cases: %v", b.Clause, names)
			}
			t.Logf("failed cases: %v", names)
		})
	}
}

// TestTheRightStoreIsNot shows that the test above tells right from wrong.
func TestTheRightStoreIsNot(t *testing.T) {
	for _, durable := range []bool{false, true} {
		for _, f := range storetest.Failures(t, harness(broken.Store{Durable: durable}), nil) {
			t.Errorf("%s failed: %v", f.Case.Name, f.Messages)
		}
	}
}

// TestEveryClauseIsBroken: a clause that no wrong store breaks may be one that the suite does not hold anybody to.
func TestEveryClauseIsBroken(t *testing.T) {
	by, names := map[string][]string{}, map[string]bool{}
	for _, b := range broken.All() {
		if names[b.Name] || b.Break == nil && b.Front == nil {
			t.Errorf("%q stands twice, or is not wrong", b.Name)
		}
		names[b.Name] = true
		by[b.Clause] = append(by[b.Clause], b.Name)
	}
	clauses := map[string]bool{}
	for _, c := range storetest.Cases() {
		clauses[c.Clause()] = true
		if by[c.Clause()] == nil {
			t.Errorf("no wrong store breaks %s (%s)", c.Clause(), c.Name)
		}
	}
	for clause, names := range by {
		if !clauses[clause] {
			t.Errorf("%q break %s, which has no case", names, clause)
		}
		t.Logf("%s: %s", clause, strings.Join(names, "; "))
	}
}

// harness shows a wrong store to the suite.
func harness(b broken.Store) storetest.Harness {
	var ms atomic.Int64
	ms.Store(1_800_000_000_000)
	cfg := storetest.ReferenceConfig{
		Traits: store.Traits{Name: "reference", Notifies: true, ListsDone: true},
		Clock:  func() time.Time { return time.UnixMilli(ms.Load()) },
	}
	h := storetest.Harness{
		Advance:  func(_ testing.TB, _ store.Store, d time.Duration) { ms.Add(d.Milliseconds()) },
		StepBack: func(_ testing.TB, _ store.Store, d time.Duration) { ms.Add(-d.Milliseconds()) },
	}
	if b.Durable {
		cfg.Traits.Survives = store.SurvivesCrash
		h.Reopen = func(_ testing.TB, s store.Store) store.Store { return s.(*storetest.Reference).Reopen() }
		h.Crash = h.Reopen
	}
	h.Traits = b.New(cfg).Traits()
	h.New = func(testing.TB) store.Store { return b.New(cfg) }
	full := cfg
	full.MaxRecords = 30
	h.Full = func(testing.TB) store.Store { return b.New(full) }
	return h
}
