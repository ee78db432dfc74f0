package search

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// with returns m changed.
func (m model) with(change func(m *model)) model {
	change(&m)
	return m
}

// quick leaves out lost answers to claims, which multiply the states most; a world that adds something else uses it.
func quick(m *model) { m.losses = 0 }

// short leaves out what only late times can show.
func short(m *model) { m.epochs, m.ticks, m.noRaise = 1, 1, true }

// worlds are the configurations in which nothing may be broken. Each policy is searched with everything at once as far as the
// time of a test allows, and otherwise with every pair of troubles.
func worlds() map[string]model {
	unknown, rerun := real(store.MarkUnknown), real(store.Rerun)
	rerun.check = []property{doneStays, sameReply, ruleOne, deadStays} // at least once: more than one effect is its named limit
	twoPhase := unknown.with(func(m *model) { m.twoPhase = true })
	return map[string]model{
		"unknown":                                    unknown.with(func(m *model) { m.epochs, m.noRaise = 1, true }),
		"unknown, long":                              unknown.with(quick),
		"unknown, clock back":                        unknown.with(quick).with(func(m *model) { m.back = true }),
		"unknown, policy changed while open":         unknown.with(quick).with(func(m *model) { m.reload = true }),
		"unknown, key from the future":               unknown.with(quick).with(func(m *model) { m.stamp = base + 80 }),
		"unknown, horizon too long":                  unknown.with(quick).with(func(m *model) { m.horizon, m.raise = 2*window, true }),
		"unknown two-phase, short":                   twoPhase.with(func(m *model) { m.epochs, m.ticks, m.noRaise = 0, 3, true }),
		"unknown two-phase, no operator":             twoPhase.with(short).with(func(m *model) { m.noDesk = true }),
		"unknown two-phase, no lost claims":          twoPhase.with(quick).with(func(m *model) { m.epochs = 1 }),
		"rerun, no operator":                         rerun.with(short).with(func(m *model) { m.noDesk = true }),
		"rerun, no lost claims":                      rerun.with(quick).with(func(m *model) { m.epochs, m.noRaise = 1, true }),
		"rerun two-phase, no lost claims, no cancel": rerun.with(quick).with(short).with(func(m *model) { m.twoPhase, m.noCancel = true, true }),
		"transaction":                                unknown.with(quick).with(func(m *model) { m.transaction = true }),
		"transaction, clock back":                    unknown.with(quick).with(func(m *model) { m.transaction, m.back = true, true }),
	}
}

// TestNothingBreaks searches the protocol as it is.
func TestNothingBreaks(t *testing.T) {
	heard := [store.Absence + 1]bool{}
	all, states := worlds(), 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		t.Run(name, func(t *testing.T) {
			r := run(t, &m)
			states += r.states
			if r.broken != 0 {
				t.Errorf("the protocol breaks its promise: %s", r.broken)
			}
		})
		for v, n := range m.heard {
			heard[v] = heard[v] || n > 0
		}
	}
	t.Logf("%d states in all", states)
	for v := store.Granted; v <= store.Absence; v++ {
		if v == store.Mismatch || v == store.Incomparable { // every copy is of one request
			continue
		}
		if !heard[v] && !underRace {
			t.Errorf("the search never came upon %q: it does not see what it should", v)
		}
	}
}

// TestNamedLimits holds that the search finds two effects where the promise is weaker, and says so.
func TestNamedLimits(t *testing.T) {
	for name, m := range map[string]model{
		"rerun is at least once":                             real(store.Rerun),
		"an unstamped key is forgotten when its window ends": real(store.MarkUnknown).with(func(m *model) { m.stamp = 0 }),
	} {
		t.Run(name, func(t *testing.T) { finds(t, m, oneEffect) })
	}
}

// run searches m and prints what came of it.
func run(t *testing.T, m *model) result {
	t.Helper()
	from := time.Now()
	deep := 0
	if underRace && len(m.check) > 1 {
		deep = 7
	}
	r := explore(m, deep)
	t.Logf("%v\n    (%v)", r, time.Since(from).Round(time.Millisecond))
	return r
}

// finds holds that m breaks p, and that the history which shows it is the shortest.
func finds(t *testing.T, m model, p property) {
	t.Helper()
	m.check = []property{p}
	r := run(t, &m)
	if r.broken != p {
		t.Fatalf("the search did not find that %s", p)
	}
	if p == oneEffect && r.last.effects != 2 {
		t.Errorf("the history ends with %d effects", r.last.effects)
	}
	if shorter := explore(&m, len(r.history)-1); shorter.broken != 0 {
		t.Errorf("there is a shorter one:\n%v", shorter)
	}
}
