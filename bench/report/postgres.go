package report

import (
	"context"
	"fmt"
	"strings"

	"github.com/onceward/onceward/bench/postgres"
	"github.com/onceward/onceward/bench/rounds"
)

// Postgres measures the same transaction on a PostgreSQL of its own and returns the tables.
func Postgres(o Options) (string, error) {
	plan := rounds.Plan{Rounds: 31, Ops: 600}
	if o.Short {
		plan = rounds.Plan{Rounds: 3, Ops: 50}
	}
	r, err := postgres.Measure(context.Background(), plan)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %s; a page is appended and synced in %s.\n\n", machine(), r.Settings, r.Fsync)
	for _, run := range r.Runs {
		target := 0.75
		if run.Callers == 1 {
			target = 0.85
		}
		fmt.Fprintf(&b, "### Callers at a time: %d\n\n| work | operations/s | time | allocations | speed | target | |\n|---|---|---|---|---|---|---|\n", run.Callers)
		row := func(m rounds.Result, speed string) {
			low, high := m.Spread()
			fmt.Fprintf(&b, "| %s | %.0f | %.0f (%.0f–%.0f) µs | %.0f | %s |\n", m.Name, 1e9/m.Median(), m.Median()/1000, low/1000, high/1000, m.Allocs, speed)
		}
		row(run.Bare, "1.00× | |")
		row(run.Once, least(run.Once.Speed(run.Bare), target))
		row(run.Naive, fmt.Sprintf("%.2f× | |", run.Naive.Speed(run.Bare)))
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "### Write-ahead log of an operation with a reply of 1 KB\n\n| work | measured | target | |\n|---|---|---|---|\n| %s | %.0f B | | |\n| %s | %s |\n",
		r.Runs[0].Bare.Name, r.BareWAL, r.Runs[0].Once.Name, most(r.WAL, 2200, "%.0f", " B"))
	return b.String(), nil
}
