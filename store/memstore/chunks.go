package memstore

import (
	"math/bits"

	"github.com/onceward/onceward/store"
)

// ref is where an entry stands: the chunk's number, then the offset in it. No entry has ref zero.
type ref uint64

const (
	offsetBits = 16
	numberBits = 22 // of 16 KiB and more each: 64 GiB in one shard of 256
	refBits    = numberBits + offsetBits

	firstChunk = 4 << 10
	fullChunk  = 1 << offsetBits
	ownChunk   = fullChunk / 4 // an entry longer than this gets a chunk to itself
)

func (r ref) number() uint32 { return uint32(r >> offsetBits) }
func (r ref) offset() int    { return int(r & (1<<offsetBits - 1)) }

// chunk is memory for entries, filled from the front and never written twice: replies that callers hold alias it.
type chunk struct {
	bytes []byte
	live  int // entries not dropped
	lane  uint8
}

// chunks holds byte entries of one shard. An entry goes to the lane of its remaining life, by powers of two: what
// stands together dies together, and no long-lived entry keeps a chunk of short-lived ones.
type chunks struct {
	all   []chunk // by number; number 0 is never used
	free  []uint32
	lanes [64]uint32 // the chunk that each lane is filling
}

// put copies the entry, which will be dropped about life milliseconds from now.
func (c *chunks) put(entry []byte, life store.Time) ref {
	lane := uint8(bits.Len64(uint64(max(life, 0))))
	if len(entry) > ownChunk {
		n := c.add(len(entry), lane)
		return c.fill(n, entry)
	}
	n := c.lanes[lane]
	if n == 0 || cap(c.all[n].bytes)-len(c.all[n].bytes) < len(entry) {
		size := firstChunk
		if n != 0 {
			size = min(2*cap(c.all[n].bytes), fullChunk)
		}
		for size < len(entry) {
			size *= 2
		}
		n = c.add(size, lane)
		c.lanes[lane] = n
	}
	return c.fill(n, entry)
}

func (c *chunks) fill(n uint32, entry []byte) ref {
	k := &c.all[n]
	at := len(k.bytes)
	k.bytes = append(k.bytes, entry...)
	k.live++
	return ref(n)<<offsetBits | ref(at)
}

func (c *chunks) add(size int, lane uint8) uint32 {
	k := chunk{bytes: make([]byte, 0, size), lane: lane}
	if last := len(c.free) - 1; last >= 0 {
		n := c.free[last]
		c.free = c.free[:last]
		c.all[n] = k
		return n
	}
	if len(c.all) == 0 {
		c.all = append(c.all, chunk{})
	}
	c.all = append(c.all, k)
	return uint32(len(c.all) - 1)
}

// at returns the bytes from the entry on; they must not be changed.
func (c *chunks) at(r ref) []byte { return c.all[r.number()].bytes[r.offset():] }

// drop forgets the entry. A chunk goes with the last of its entries; whoever holds a reply keeps its memory alive.
func (c *chunks) drop(r ref) {
	n := r.number()
	k := &c.all[n]
	k.live--
	if k.live > 0 {
		return
	}
	if c.lanes[k.lane] == n {
		c.lanes[k.lane] = 0
	}
	*k = chunk{}
	c.free = append(c.free, n)
}
