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
			failed := storetest.Failures(t, harness(b.Durable, b.Break), nil)
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
		for _, f := range storetest.Failures(t, harness(durable, func(*storetest.Rules) {}), nil) {
			t.Errorf("%s failed: %v", f.Case.Name, f.Messages)
		}
	}
}

// harness shows a Reference with changed rules to the suite.
func harness(durable bool, change func(*storetest.Rules)) storetest.Harness {
	rules := storetest.RightRules()
	change(&rules)
	var ms atomic.Int64
	ms.Store(1_800_000_000_000)
	cfg := storetest.ReferenceConfig{
		Traits: store.Traits{Name: "reference", Notifies: true, ListsDone: true},
		Clock:  func() time.Time { return time.UnixMilli(ms.Load()) },
		Rules:  &rules,
	}
	h := storetest.Harness{
		Advance: func(_ testing.TB, _ store.Store, d time.Duration) { ms.Add(d.Milliseconds()) },
	}
	if durable {
		cfg.Traits.Survives = store.SurvivesCrash
		h.Reopen = func(_ testing.TB, s store.Store) store.Store { return s.(*storetest.Reference).Reopen() }
		h.Crash = h.Reopen
	}
	h.Traits = cfg.Traits
	h.New = func(testing.TB) store.Store { return storetest.NewReference(cfg) }
	full := cfg
	full.MaxRecords = 30
	h.Full = func(testing.TB) store.Store { return storetest.NewReference(full) }
	return h
}
