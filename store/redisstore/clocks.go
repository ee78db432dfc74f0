package redisstore

import (
	"time"

	"github.com/onceward/onceward/store"
)

// clocks are the newest times of servers that this process has seen. Each call hands one over, and is answered nothing older: X4, for all that this process is told, also if a server's
// clock is set back, or a Cluster's clocks differ.
type clocks struct {
	all    store.Latest
	shards []store.Latest
	one    bool // all shards stand on one server
}

// apart is by how much the clock of one node of a Cluster may take the others along. One that is a day ahead must not: keys of now would be too old for their shards.
const apart = time.Hour

func (c *clocks) see(shard int, t store.Time) {
	c.shards[shard].See(t)
	c.all.See(t)
}

// newest is what a call on the shard hands over.
func (c *clocks) newest(shard int) store.Time {
	own := c.shards[shard].Newest()
	if all := c.all.Newest(); c.one || all.Sub(own) <= apart {
		return all
	}
	return own
}

// along is the newest time that a shard whose clock says own can have been handed over, where all clocks say these: each clock takes along those that are behind it by no more than
// apart, and so may one that was taken along itself.
func along(own store.Time, sorted []store.Time) store.Time {
	for _, t := range sorted {
		if t > own && t.Sub(own) <= apart {
			own = t
		}
	}
	return own
}
