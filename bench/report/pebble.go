package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/onceward/onceward/bench/pebble"
	"github.com/onceward/onceward/bench/rounds"
)

// Pebble measures the embedded store and returns the tables.
func Pebble(o Options) (string, error) {
	plan, records := rounds.Plan{Rounds: 9, Ops: 24_000}, 1_000_000
	if o.Short {
		plan, records = rounds.Plan{Rounds: 2, Ops: 640}, 20_000
	}
	speeds, err := pebble.MeasureSpeed(o.Folder, plan, 1, 64, 256)
	if err != nil {
		return "", err
	}
	million, err := pebble.MeasureMillion(o.Folder, records)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n", machine())
	durable(&b, speeds)
	embedded(&b, million)
	return b.String(), nil
}

// durableTargets are how fast the store should be against the bare log, by writers.
var durableTargets = map[int]float64{64: 0.75, 256: 0.42}

func durable(b *strings.Builder, all []pebble.Speed) {
	b.WriteString("### Claim and completion, both on the disk before they are answered, 1 KB reply\n\n| writers | onceward/s | bare Pebble/s | bare log/s | a sync | bare Pebble | onceward | target | |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range all {
		target := fmt.Sprintf("%.2f× | | |", s.Store.Speed(s.Log))
		if atLeast, ok := durableTargets[s.Writers]; ok {
			target = least(s.Store.Speed(s.Log), atLeast) + " |"
		}
		fmt.Fprintf(b, "| %d | %.0f | %.0f | %.0f | %v | %.2f× | %s\n", s.Writers, 1e9/s.Store.Median(), 1e9/s.Bare.Median(), 1e9/s.Log.Median(),
			s.Sync.Round(time.Microsecond), s.Bare.Speed(s.Log), target)
	}
	b.WriteString("\n")
}

func embedded(b *strings.Builder, m pebble.Million) {
	fmt.Fprintf(b, "### An embedded store of %d records, 1 KB replies, 24 hourly buckets; half of the keys stamped\n\n| what | measured | target | |\n|---|---|---|---|\n", m.Records)
	micros := func(d time.Duration) float64 { return float64(d) / 1e3 }
	millis := func(d time.Duration) float64 { return float64(d) / 1e6 }
	fmt.Fprintf(b, "| replay of a stamped key, median | %s |\n", most(micros(m.Stamped), 10, "%.1f", " µs"))
	fmt.Fprintf(b, "| replay of another, median | %s |\n", most(micros(m.Others), 60, "%.1f", " µs"))
	fmt.Fprintf(b, "| written for one record, the log included | %s |\n", most(m.Written, 3500, "%.0f", " B"))
	fmt.Fprintf(b, "| opened again after SIGKILL | %s |\n", most(millis(m.Reopen), 1000, "%.0f", " ms"))
	fmt.Fprintf(b, "| purge of all of them, in one call | %s |\n", most(millis(m.Purge), 10, "%.1f", " ms"))
	fmt.Fprintf(b, "| the longest claim and completion meanwhile, two syncs included | %.1f ms | | |\n", millis(m.Longest))
	fmt.Fprintf(b, "| files of records before and after | %d MB, %d MB | | |\n", m.DiskBefore>>20, m.DiskAfter>>20)
	fmt.Fprintf(b, "| memory of the process that has filled it | %s |\n", most(float64(m.Memory>>20), 300, "%.0f", " MB"))
}
