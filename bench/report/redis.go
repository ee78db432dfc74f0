package report

import (
	"context"
	"fmt"
	"strings"

	"github.com/onceward/onceward/bench/redis"
	"github.com/onceward/onceward/bench/rounds"
)

// Redis measures on a Redis of its own and returns the tables.
func Redis(o Options) (string, error) {
	plan, keys := rounds.Plan{Rounds: 21, Ops: 2_000}, 200_000
	if o.Short {
		plan, keys = rounds.Plan{Rounds: 5, Ops: 1_000}, 20_000
	}
	r, err := redis.Measure(context.Background(), plan, keys)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %s.\n\n", machine(), r.Settings)
	for _, run := range r.Runs {
		kept := "nothing is kept on disk"
		if run.Durable {
			kept = "each write is synced"
		}
		fmt.Fprintf(&b, "### Callers at a time: %d; %s\n\n| work | operations/s | time | allocations |\n|---|---|---|---|\n", run.Callers, kept)
		for _, m := range []rounds.Result{run.Bare, run.Once, run.Hand, run.HandGo, run.Get, run.Again} {
			low, high := m.Spread()
			fmt.Fprintf(&b, "| %s | %.0f | %.1f (%.1f–%.1f) µs | %.0f |\n", m.Name, 1e9/m.Median(), m.Median()/1000, low/1000, high/1000, m.Allocs)
		}
		b.WriteString("\n| speed | measured | target | |\n|---|---|---|---|\n")
		ratio := func(name string, speed, target float64) {
			if run.Callers == 1 {
				fmt.Fprintf(&b, "| %s | %.2f× | | |\n", name, speed)
				return
			}
			fmt.Fprintf(&b, "| %s | %s |\n", name, least(speed, target))
		}
		ratio("a new operation against the same two commands, bare", run.Once.Speed(run.Bare), 0.9)
		ratio("against look, lock, save, unlock by rueidis", run.Once.Speed(run.Hand), 1.3)
		ratio("against the same by go-redis", run.Once.Speed(run.HandGo), 2)
		ratio("a replay against a bare GET", run.Again.Speed(run.Get), 0.9)
		b.WriteString("\n")
	}
	m := r.Memory
	fmt.Fprintf(&b, "### Memory of %d replies of 100 to 4,000 bytes\n\n| what | measured | target | |\n|---|---|---|---|\n| `SET id reply PX` | %.0f B | | |\n", m.Keys, m.Bare)
	fmt.Fprintf(&b, "| a record's own fields, encoded | %.0f B | | |\n| a done record, over both | %s |\n", m.Fields, most(m.Once-m.Bare-m.Fields, 64, "%.0f", " B"))
	return b.String(), nil
}
