package simulation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSeeds runs seeds until its time is over: some seconds, a minute where CI is set, as long as ONCEWARD_SOAK_TIME says (default one hour) where
// ONCEWARD_SOAK is. ONCEWARD_SEED=n runs one and tells all of it.
func TestSeeds(t *testing.T) {
	if text := os.Getenv("ONCEWARD_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		w := holds(t, seed)
		for _, c := range w.customers {
			t.Logf("intent %d\n%s", c.number, w.timeline(c.number))
		}
		t.Log("picture in", w.picture())
		return
	}
	shards, each := budget(t)
	var total tally
	t.Cleanup(func() { total.covers(t) }) // after the shards
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			first, count := rand.Uint64()>>16, uint64(0)
			if os.Getenv("CI") != "" && os.Getenv("ONCEWARD_SOAK") == "" { // the same for everybody's change; new ones are for the soak and for people
				first = uint64(shard) << 32
			}
			for began := time.Now(); time.Since(began) < each && !t.Failed(); count++ {
				total.add(holds(t, first+count))
			}
			t.Logf("%d seeds from %d on", count, first)
		})
	}
}

// budget is how many shards run, and each for how long. Go runs as many at a time as there are processors.
func budget(t *testing.T) (shards int, each time.Duration) {
	switch {
	case os.Getenv("ONCEWARD_SOAK") != "":
		long := time.Hour
		if text := os.Getenv("ONCEWARD_SOAK_TIME"); text != "" {
			var err error
			if long, err = time.ParseDuration(text); err != nil {
				t.Fatal(err)
			}
		}
		return runtime.GOMAXPROCS(0), long
	case underRace: // the seeds that are run without it are more
		return 4, 5 * time.Second
	case os.Getenv("CI") != "":
		return 8, 14 * time.Second // a minute on two processors
	}
	return 4, 3 * time.Second
}

// holds runs a seed and reports what is wrong with it.
func holds(t *testing.T, seed uint64) *world {
	w := simulate(t, seed, brokenness{})
	if fault := w.verdict(); fault != "" {
		t.Errorf("run ONCEWARD_SEED=%d to see it again; picture in %s\n%s", seed, w.picture(), fault)
	}
	return w
}

// tally counts what has been seen.
type tally struct {
	mu    sync.Mutex
	seeds int
	seen  map[string]int
}

func (c *tally) add(w *world) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.seeds++
	for what, n := range w.seen {
		c.seen[what] += n
	}
}

// covers fails a simulation that has gone blind: one in which something never happens any more.
func (c *tally) covers(t *testing.T) {
	for _, what := range slices.Sorted(maps.Keys(c.seen)) {
		t.Logf("%7d  %s", c.seen[what], what)
	}
	expect := func(seeds int, all string) {
		for _, what := range strings.Split(strings.TrimSpace(all), "\n") {
			if c.seeds >= seeds && c.seen[what] == 0 {
				t.Errorf("in %d seeds there was no %q: the simulation does not see it any more", c.seeds, what)
			}
		}
	}
	expect(500, often)
	expect(3000, seldom)
}

// TestSameSeedSameHistory shows how far a seed determines a run: see docs/simulation.md for what it does not.
func TestSameSeedSameHistory(t *testing.T) {
	const seeds, most = 20, 10
	differ := 0
	for seed := range uint64(seeds) {
		one, two := simulate(t, seed, brokenness{}).story(), simulate(t, seed, brokenness{}).story()
		if !slices.Equal(one, two) {
			differ++
		}
	}
	t.Logf("%d of %d seeds gave the same history twice", seeds-differ, seeds)
	if differ > most {
		t.Errorf("%d of %d seeds gave another history the second time; at most %d may", differ, seeds, most)
	}
}

// story is all that was noted, beat by beat. Within a beat the order of notes is no part of it: what happens in one is ordered, what is
// noted while it is asked for is not.
func (w *world) story() []string {
	lines := make([]string, len(w.notes))
	for i, n := range w.notes {
		lines[i] = fmt.Sprintf("%08d %s: %s", n.at/beat, n.about, n.text)
	}
	slices.Sort(lines)
	return lines
}
