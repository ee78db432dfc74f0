package behave_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/onceward/onceward/bench/behave"
	"github.com/onceward/onceward/bench/behave/contract"
	"github.com/onceward/onceward/bench/behave/targets/ours"
)

// wrong is a server of which we know what is wrong with it.
type wrong struct {
	name    string
	breaks  []string // the cases that must fail, and no others
	only    bool     // run only those: the others would hang, or fail now and then
	variant ours.Variant
}

// slow are cases that wait for seconds or send megabytes. They run where they must fail.
var slow = []string{"retry-after", "large-reply", "large-request"}

// A harness that never failed anybody proves nothing. Each of these servers fails exactly the cases that are about its fault.
func TestWrongRepliesAreCaught(t *testing.T)  { areCaught(t, wrongReplies()) }
func TestWrongRunsAreCaught(t *testing.T)     { areCaught(t, wrongRuns()) }
func TestWrongRequestsAreCaught(t *testing.T) { areCaught(t, wrongRequests()) }
func TestWrongKeysAreCaught(t *testing.T)     { areCaught(t, wrongKeys()) }

func TestEveryCaseThatCountsHasAWrongServer(t *testing.T) {
	covered := map[string]bool{"restart": true} // nobody here restarts
	for _, w := range slices.Concat(wrongReplies(), wrongRuns(), wrongRequests(), wrongKeys()) {
		for _, name := range w.breaks {
			covered[name] = true
		}
	}
	for _, c := range behave.Cases() {
		if c.Kind == behave.Counts && !covered[c.Name] {
			t.Errorf("no wrong server fails %s", c.Name)
		}
	}
}

// names are the cases of the lines, sorted.
func (wrong) names(lines []string) []string {
	names := make([]string, len(lines))
	for i, line := range lines {
		names[i], _, _ = strings.Cut(line, ":")
	}
	slices.Sort(names)
	return names
}

func areCaught(t *testing.T, servers []wrong) {
	got := make([][]string, len(servers))
	room := make(chan struct{}, 8)
	var done sync.WaitGroup
	for i, w := range servers {
		done.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			for range 3 { // on a busy machine a copy may come too late to meet the fault, or a case take too long
				if got[i] = w.fails(t); slices.Equal(w.names(got[i]), slices.Sorted(slices.Values(w.breaks))) {
					break
				}
			}
		})
	}
	done.Wait()
	for i, w := range servers {
		t.Run(w.name, func(t *testing.T) {
			if !slices.Equal(w.names(got[i]), slices.Sorted(slices.Values(w.breaks))) {
				t.Errorf("fails %q; want %q", got[i], w.breaks)
			}
		})
	}
}

// wants are the cases of the groups in which something must fail; with ONCEWARD_SOAK all.
func (w wrong) wants(c behave.Case) bool {
	switch {
	case slices.Contains(w.breaks, c.Name):
		return true
	case w.only, slices.Contains(slow, c.Name), c.Kind != behave.Counts:
		return false
	}
	return os.Getenv("ONCEWARD_SOAK") != "" || slices.ContainsFunc(behave.Cases(), func(b behave.Case) bool {
		return b.Group == c.Group && slices.Contains(w.breaks, b.Name)
	})
}

// fails runs the cases and returns those that fail, with their notes.
func (w wrong) fails(t *testing.T) (lines []string) {
	r := report(t, func() (contract.Running, error) { return ours.StartVariant(w.variant) }, w.wants)
	for _, c := range r.Results {
		if c.Outcome == behave.Fail {
			lines = append(lines, fmt.Sprintf("%s: %s", c.Name, c.Note))
		}
	}
	return lines
}
