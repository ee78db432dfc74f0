package faultproxy

import (
	"fmt"
	"strings"
)

// Summary is one line: how many requests there were, and how often each fault struck, with its rate among them and the one that
// was asked for.
func (p *Proxy) Summary() string {
	stats := p.network.Stats()
	parts := []string{fmt.Sprintf("onceward faults: seed %d, requests %d", p.cfg.Seed, stats.Arrivals)}
	for _, f := range p.cfg.faultFlags() {
		if f.probability == 0 {
			continue
		}
		name := f.fault.Name()
		part := fmt.Sprintf("%s %d", name, stats.Struck[name])
		if stats.Arrivals > 0 {
			part += fmt.Sprintf(" (%.1f %%, asked %.4g %%)", 100*float64(stats.Struck[name])/float64(stats.Arrivals), 100*f.probability)
		}
		if skipped := stats.Skipped[name]; skipped > 0 {
			part += fmt.Sprintf(" and %d skipped, larger than --max-body", skipped)
		}
		parts = append(parts, part)
	}
	for _, more := range []struct {
		n    uint64
		what string
	}{
		{stats.Outside, "outside of --only"},
		{p.failed.Load(), "unanswered by the upstream (502)"},
		{p.refused.Load(), "refused over --max-exchanges (503)"},
	} {
		if more.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", more.n, more.what))
		}
	}
	return strings.Join(parts, ", ")
}
