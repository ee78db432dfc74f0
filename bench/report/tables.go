package report

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/onceward/onceward/bench/inprocess"
	"github.com/onceward/onceward/bench/retained"
	"github.com/onceward/onceward/bench/rounds"
)

// judged is a measured value beside its target.
func judged(value, target, unit string, met bool) string {
	verdict := "missed"
	if met {
		verdict = "met"
	}
	return fmt.Sprintf("%s%s | %s%s | %s", value, unit, target, unit, verdict)
}

func most(value, target float64, format, unit string) string {
	return judged(fmt.Sprintf(format, value), "≤ "+fmt.Sprintf(format, target), unit, value <= target)
}

// count is most for a number of allocations, of which a collection now and then adds a fraction.
func count(value, target float64) string { return most(math.Round(value), target, "%.0f", "") }

func least(value, target float64) string {
	return judged(fmt.Sprintf("%.2f", value), "≥ "+fmt.Sprintf("%.2f", target), "×", value >= target)
}

func taken(r rounds.Result) string {
	low, high := r.Spread()
	return fmt.Sprintf("%.0f (%.0f–%.0f) ns", r.Median(), low, high)
}

func inProcess(w io.Writer, s inprocess.Server, scale inprocess.Scaling) {
	fmt.Fprint(w, "### In process, 256 B request, 1 KB reply, memory store\n\n| work | time | allocations |\n|---|---|---|\n")
	for _, r := range []rounds.Result{s.Bare, s.Floor, s.New, s.NewJSON, s.Replay} {
		fmt.Fprintf(w, "| %s | %s | %.1f |\n", r.Name, taken(r), r.Allocs)
	}
	fmt.Fprint(w, "\n| over the bare handler | measured | target | |\n|---|---|---|---|\n")
	fmt.Fprintf(w, "| new key, time | %s |\n", most(s.New.Over(s.Bare)/1000, 2.8, "%.1f", " µs"))
	fmt.Fprintf(w, "| new key, allocations | %s |\n", count(s.New.Allocs-s.Bare.Allocs, 14))
	fmt.Fprintf(w, "| replay, time | %s |\n", most(s.Replay.Over(s.Bare)/1000, 0.8, "%.1f", " µs"))
	fmt.Fprintf(w, "| replay, allocations | %s |\n", count(s.Replay.Allocs-s.Bare.Allocs, 6))
	fmt.Fprintf(w, "| %d callers against 1, new key: %.2f×, the ingredients %.2f×; the one over the other | %s |\n",
		scale.Callers, scale.New, scale.Floor, least(scale.New/scale.Floor, 0.9))
	fmt.Fprintf(w, "| the same for a replay: %.2f× | %s |\n\n", scale.Replay, least(scale.Replay/scale.Floor, 0.9))
}

func client(w io.Writer, c inprocess.Client) {
	fmt.Fprint(w, "### The client on a transport without a network\n\n| client | time | allocations |\n|---|---|---|\n")
	for _, r := range []rounds.Result{c.Stock, c.Ours} {
		fmt.Fprintf(w, "| %s | %s | %.1f |\n", r.Name, taken(r), r.Allocs)
	}
	fmt.Fprint(w, "\n| over the stock client | measured | target | |\n|---|---|---|---|\n")
	fmt.Fprintf(w, "| time | %s |\n", most(c.Ours.Over(c.Stock)/1000, 1, "%.1f", " µs"))
	fmt.Fprintf(w, "| allocations | %s |\n\n", count(c.Ours.Allocs-c.Stock.Allocs, 8))
}

func wire(w io.Writer, results []rounds.Result) {
	bare, fresh, again := results[0], results[1], results[2]
	fmt.Fprint(w, "### Loopback HTTP, 32 connections, callers and server on the same processors\n\n| server | requests/s | speed | target | |\n|---|---|---|---|---|\n")
	fmt.Fprintf(w, "| bare | %.0f | 1.00× | | |\n", 1e9/bare.Median())
	fmt.Fprintf(w, "| new key | %.0f | %s |\n", 1e9/fresh.Median(), least(fresh.Speed(bare), 0.9))
	fmt.Fprintf(w, "| replay | %.0f | %s |\n\n", 1e9/again.Median(), least(again.Speed(bare), 0.95))
}

func memory(w io.Writer, c retained.Cost, hold time.Duration) {
	fmt.Fprintf(w, "### A memory store of %d records, 1 KB replies\n\n| what | measured | target | |\n|---|---|---|---|\n", c.Records)
	fmt.Fprintf(w, "| heap for one record | %s |\n", most(c.PerRecord, 1250, "%.0f", " B"))
	fmt.Fprintf(w, "| longest hold of a lock while all of them expire | %s |\n", most(hold.Seconds()*1000, 1, "%.2f", " ms"))
	fmt.Fprintf(w, "| purge of all of them | %s | | |\n", c.Expiry.Round(time.Millisecond))
	fmt.Fprintf(w, "| an answer meanwhile, median | %s | | |\n| the slowest, with its wait for a processor | %s | | |\n", c.Typical, c.Longest.Round(10*time.Microsecond))
}
