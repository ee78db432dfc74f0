package faults

import (
	"maps"
	"sync"
)

// Stats counts what a [Network] has done since it was made.
type Stats struct {
	Arrivals uint64            // requests that faults might strike
	Outside  uint64            // requests that none of Config.Only fits
	Struck   map[string]uint64 // by the name of every configured fault
	Skipped  map[string]uint64 // the same: could not strike, because the request was larger than MaxBody or did not arrive whole
}

// counts keeps a Network's Stats. Safe for concurrent use.
type counts struct {
	mu    sync.Mutex
	stats Stats
}

func newCounts(faults []Fault) *counts {
	c := &counts{stats: Stats{Struck: map[string]uint64{}, Skipped: map[string]uint64{}}}
	for _, f := range faults {
		c.stats.Struck[f.name], c.stats.Skipped[f.name] = 0, 0
	}
	return c
}

func (c *counts) outside() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Outside++
}

// arrival counts a request with what strikes it.
func (c *counts) arrival(struck []Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Arrivals++
	for _, e := range struck {
		if e.Skipped {
			c.stats.Skipped[e.Fault]++
		} else {
			c.stats.Struck[e.Fault]++
		}
	}
}

// Stats returns the counts up to now. A request counts when what strikes it is decided, before it is delivered.
func (n *Network) Stats() Stats {
	n.counts.mu.Lock()
	defer n.counts.mu.Unlock()
	s := n.counts.stats
	s.Struck, s.Skipped = maps.Clone(s.Struck), maps.Clone(s.Skipped)
	return s
}
