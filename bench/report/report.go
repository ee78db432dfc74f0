// Package report runs the measurements and prints them as the tables of a page.
package report

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/onceward/onceward/bench/inprocess"
	"github.com/onceward/onceward/bench/loopback"
	"github.com/onceward/onceward/bench/retained"
	"github.com/onceward/onceward/bench/rounds"
)

// size is how much is measured.
type size struct {
	inProcess, scaling, client, loopback rounds.Plan
	records                              int
}

var (
	full = size{
		inProcess: rounds.Plan{Rounds: 13, Ops: 20_000}, scaling: rounds.Plan{Rounds: 9, Ops: 40_000}, client: rounds.Plan{Rounds: 13, Ops: 20_000},
		loopback: rounds.Plan{Rounds: 9, Ops: 16_000}, records: 1_000_000,
	}
	brief = size{
		inProcess: rounds.Plan{Rounds: 3, Ops: 1_000}, scaling: rounds.Plan{Rounds: 3, Ops: 1_000}, client: rounds.Plan{Rounds: 3, Ops: 1_000},
		loopback: rounds.Plan{Rounds: 3, Ops: 640}, records: 20_000,
	}
)

// Options are what a measurement may be told.
type Options struct {
	Short  bool   // few rounds, to see that it works: the numbers mean little
	Folder string // on the disk that is measured; default: where temporary files are. Only [Pebble] looks at it
}

// Make measures everything that needs no server and no disk, and returns the tables.
func Make(o Options) (string, error) {
	s := full
	if o.Short {
		s = brief
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n", machine())
	inProcess(&b, inprocess.MeasureServer(s.inProcess), inprocess.MeasureScaling(s.scaling))
	client(&b, inprocess.MeasureClient(s.client))
	overWire, err := loopback.Measure(s.loopback, inprocess.Mint)
	if err != nil {
		return "", err
	}
	wire(&b, overWire)
	cost, err := retained.Measure(s.records)
	if err != nil {
		return "", err
	}
	hold, err := longestHold(o.Short)
	if err != nil {
		return "", err
	}
	memory(&b, cost, hold)
	return b.String(), nil
}

// machine says on what, and when.
func machine() string {
	return fmt.Sprintf("%s, %s/%s, %d processors (%s), %s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), processor(), time.Now().UTC().Format("2006-01-02"))
}

// processor is the processor's name, where the system tells it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
