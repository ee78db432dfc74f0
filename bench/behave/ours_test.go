package behave_test

import (
	"slices"
	"testing"

	"github.com/onceward/onceward/bench/behave"
	"github.com/onceward/onceward/bench/behave/contract"
	"github.com/onceward/onceward/bench/behave/targets/naive"
	"github.com/onceward/onceward/bench/behave/targets/ours"
)

// report runs the cases at a target that is started for it. It may be called off the test's goroutine.
func report(t *testing.T, start func() (contract.Running, error), wants func(behave.Case) bool) behave.Report {
	t.Helper()
	running, err := start()
	if err != nil {
		t.Error(err)
		return behave.Report{}
	}
	defer running.Stop()
	r, err := behave.Run(t.Context(), behave.Config{URL: running.URL, Wants: wants})
	if err != nil {
		t.Error(err)
	}
	return r
}

func TestOursPassesEveryCase(t *testing.T) {
	r := report(t, ours.Start, nil)
	for _, c := range r.Results {
		if c.Outcome == behave.Fail {
			t.Errorf("%s: %s", c.Name, c.Note)
		}
		if c.Outcome == behave.NotApplicable && c.Name != "restart" { // the memory store has nothing to come back with
			t.Errorf("%s does not apply: %s", c.Name, c.Note)
		}
	}
	if len(r.Results) != len(behave.Cases()) {
		t.Errorf("%d of %d cases ran", len(r.Results), len(behave.Cases()))
	}
}

// The article's middleware fails what its reasons say, and nothing else.
func TestNaiveFailsWhatItsReasonsSay(t *testing.T) {
	reasons := naive.Reasons()
	for _, c := range report(t, naive.Start, nil).Results {
		if fails := c.Outcome == behave.Fail; fails != (reasons[c.Name] != "") {
			t.Errorf("%s: %s %s", c.Name, c.Outcome, c.Note)
		}
	}
}

func TestCasesHaveTheirWords(t *testing.T) {
	seen := map[string]bool{}
	counts := 0
	for _, c := range behave.Cases() {
		if c.Name == "" || seen[c.Name] || c.Says == "" || c.Check == nil || !slices.Contains(behave.Groups(), c.Group) {
			t.Errorf("%+v", c)
		}
		seen[c.Name] = true
		if c.Kind == behave.Counts {
			counts++
		}
	}
	if counts < 40 {
		t.Errorf("only %d cases count", counts)
	}
}

func TestRunRefusesAServerWithoutTheContract(t *testing.T) {
	l, err := contract.Listen()
	if err != nil {
		t.Fatal(err)
	}
	running := contract.Serve(l, contract.Effect(contract.NewDesk()))
	defer running.Stop()
	if _, err := behave.Run(t.Context(), behave.Config{URL: running.URL}); err == nil {
		t.Error("a server that answers something else was tested")
	}
}
