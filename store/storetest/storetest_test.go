package storetest_test

import (
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

// TestClausesAndCasesAgree reads the contract: every numbered clause has a case, every case a clause.
func TestClausesAndCasesAgree(t *testing.T) {
	text, err := os.ReadFile("../store.go")
	if err != nil {
		t.Fatal(err)
	}
	clauses := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*//\t([A-Z]\d+) `).FindAllSubmatch(text, -1) {
		if clauses[string(m[1])] {
			t.Errorf("clause %s stands twice in store.go", m[1])
		}
		clauses[string(m[1])] = true
	}
	if len(clauses) < 40 {
		t.Fatalf("found %d clauses in store.go: have their comments changed shape?", len(clauses))
	}
	covered, names := map[string]bool{}, map[string]bool{}
	for _, c := range storetest.Cases() {
		if names[c.Name] || strings.ContainsAny(c.Name, " /") {
			t.Errorf("the name of case %q is taken, or would be changed by testing", c.Name)
		}
		names[c.Name], covered[c.Clause()] = true, true
		if !clauses[c.Clause()] {
			t.Errorf("case %s: there is no clause %s in store.go", c.Name, c.Clause())
		}
	}
	for clause := range clauses {
		if !covered[clause] {
			t.Errorf("clause %s has no case", clause)
		}
	}
}

// TestReferenceForgets holds the reference to the contract as a store that keeps nothing, with a clock that can be set.
func TestReferenceForgets(t *testing.T) { storetest.Run(t, forgetful(settable)) }

// TestReferenceKeeps does so as a store that keeps everything, refuses ClassDone and says that it wakes nobody.
func TestReferenceKeeps(t *testing.T) {
	h := forgetful(settable)
	h.Traits = store.Traits{Name: "reference", Survives: store.SurvivesPowerLoss, Shared: true}
	open, full := config(h.Traits, settable), config(h.Traits, settable)
	full.MaxRecords = 30
	h.New = func(testing.TB) store.Store { return storetest.NewReference(open) }
	h.Full = func(testing.TB) store.Store { return storetest.NewReference(full) }
	h.Reopen = func(t testing.TB, s store.Store) store.Store { return s.(*storetest.Reference).Reopen() }
	h.Crash = h.Reopen
	storetest.Run(t, h)
}

// TestReferenceInRealTime does so with a clock that nobody can set.
func TestReferenceInRealTime(t *testing.T) {
	if testing.Short() {
		t.Skip("waits in real time; the other two tests cover the same cases")
	}
	h := forgetful(nil)
	h.Advance, h.StepBack = nil, nil
	storetest.Run(t, h)
}

// clock is a clock that only a test moves.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(1_800_000_000_000)
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

var settable = newClock()

func config(traits store.Traits, c *clock) storetest.ReferenceConfig {
	cfg := storetest.ReferenceConfig{Traits: traits}
	if c != nil {
		cfg.Clock = c.now
	}
	return cfg
}

func forgetful(c *clock) storetest.Harness {
	traits := store.Traits{Name: "reference", Notifies: true, ListsDone: true, Caveats: []string{"for tests"}}
	full := config(traits, c)
	full.MaxRecords = 30
	return storetest.Harness{
		New:      func(testing.TB) store.Store { return storetest.NewReference(config(traits, c)) },
		Full:     func(testing.TB) store.Store { return storetest.NewReference(full) },
		Traits:   traits,
		Advance:  func(_ testing.TB, _ store.Store, d time.Duration) { c.advance(d) },
		StepBack: func(_ testing.TB, _ store.Store, d time.Duration) { c.advance(-d) },
	}
}
