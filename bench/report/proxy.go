package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/onceward/onceward/bench/inprocess"
	"github.com/onceward/onceward/bench/loopback"
	"github.com/onceward/onceward/bench/rounds"
)

// Proxy measures the sidecar and returns the table.
func Proxy(o Options) (string, error) {
	plan := rounds.Plan{Rounds: 9, Ops: 8_000}
	if o.Short {
		plan = rounds.Plan{Rounds: 2, Ops: 640}
	}
	p, err := loopback.MeasureProxy(o.Folder, plan, inprocess.Mint)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n### Through a proxy, 32 connections, 256 B request, 1 KB reply\n\n| proxy | requests/s | over the tuned one | target | | p99 | target | |\n|---|---|---|---|---|---|---|---|\n", machine())
	millis := func(t time.Duration) string { return fmt.Sprintf("%.1f ms", float64(t)/1e6) }
	fmt.Fprintf(&b, "| %s | %.0f | 1× | | | %s | | |\n", p.Tuned.Name, 1e9/p.Tuned.Median(), millis(p.Tuned.P99))
	if p.Nginx.Name == "" {
		fmt.Fprintf(&b, "| nginx, tuned | not measured: %v | | | | | | |\n", loopback.ErrNoNginx)
	} else {
		fmt.Fprintf(&b, "| %s | %.0f | %.2f× | | | %s | | |\n", p.Nginx.Name, 1e9/p.Nginx.Median(), p.Nginx.Speed(p.Tuned.Result), millis(p.Nginx.P99))
	}
	for _, row := range []struct {
		loopback.Timed
		atLeast float64
	}{{p.Memory, 0.85}, {p.Durable, 0.55}, {p.Replay, 1.5}} {
		fmt.Fprintf(&b, "| %s | %.0f | %s | %s |\n", row.Name, 1e9/row.Median(), least(row.Speed(p.Tuned.Result), row.atLeast),
			judged(millis(row.P99), "≤ "+millis(2*p.Tuned.P99), "", row.P99 <= 2*p.Tuned.P99))
	}
	return b.String(), nil
}
