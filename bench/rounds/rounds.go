// Package rounds measures several ways to do the same work side by side: in turns, in one process, so that whatever slows the machine down slows
// all of them down.
package rounds

import (
	"runtime"
	"slices"
	"time"
)

// Contender is one way to do the work.
type Contender struct {
	Name    string
	Prepare func(n int) // before each round, not measured; may be nil
	Round   func(n int) // does the work n times
}

// Plan says how much is measured.
type Plan struct {
	Rounds int // counted rounds of each contender
	Ops    int // times the work is done in a round
}

// Result is what one contender took.
type Result struct {
	Name   string
	Nanos  []float64 // for one time, by round
	Allocs float64   // heap objects for one time, over all rounds
	Bytes  float64   // heap bytes for one time, over all rounds
}

// Run measures the contenders, in the given order and then in the reverse of it, after one round each that does not count.
func Run(plan Plan, contenders ...Contender) []Result {
	results := make([]Result, len(contenders))
	order := make([]int, len(contenders))
	for i, c := range contenders {
		results[i].Name = c.Name
		order[i] = i
	}
	for round := range plan.Rounds + 1 {
		for _, i := range order {
			took, allocs, bytes := measure(contenders[i], plan.Ops)
			if round == 0 {
				continue
			}
			r := &results[i]
			r.Nanos = append(r.Nanos, float64(took)/float64(plan.Ops))
			r.Allocs += float64(allocs) / float64(plan.Ops) / float64(plan.Rounds)
			r.Bytes += float64(bytes) / float64(plan.Ops) / float64(plan.Rounds)
		}
		slices.Reverse(order)
	}
	return results
}

func measure(c Contender, n int) (took time.Duration, allocs, bytes uint64) {
	if c.Prepare != nil {
		c.Prepare(n)
	}
	runtime.GC() // a round pays for its own garbage, not for the round before
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	c.Round(n)
	took = time.Since(began)
	runtime.ReadMemStats(&after)
	return took, after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc
}
