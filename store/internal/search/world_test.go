package search

import (
	"cmp"
	"slices"
	"time"

	"github.com/onceward/onceward/store"
)

// The clock of this world: a lease is one tick of a millisecond, an epoch outlasts window and guard.
const (
	base       store.Time = 1_000_000
	tick                  = time.Millisecond
	epoch      moment     = 100
	window                = 50 * tick
	guard                 = 10 * tick
	longWindow            = 10_000 * tick
)

// moment is a time in ticks since base.
type moment int16

func (m moment) time() store.Time { return base + store.Time(m) }

// copies is how many copies of the request are under way.
const copies = 3

// phase is how far the server that got a copy has come.
type phase uint8

const (
	idle    phase = iota // the copy is under way, or its server waits
	unsure               // the answer to its claim did not come
	holding              // it knows that it has claimed
	running              // it knows that it has started: its effect may come at any time from here
	acted                // its effect has happened
	freeing              // it vouches that nothing took effect, and does nothing but release
	gone                 // crashed, or has answered
	checked              // naive only: the key's age was checked before the claim
)

// call is a copy of the request with its server; its token is its place in world.calls.
type call struct {
	phase   phase
	late    bool   // a copy of its claim may still reach the store
	until   moment // ValidUntil of its claim
	mark    moment // the mark against its token lives through this time
	passed  bool   // its token has passed start
	vouched bool   // it has released: nothing took effect and nothing will
	freed   bool   // it knows that its release was carried out
}

// row is the record without what never differs here.
type row struct {
	state     store.State
	policy    store.Policy
	end       store.End
	token     uint8 // 1 to copies: of that call; above: of a decision
	reply     uint8 // 1 to copies: of that call; above: of an operator
	doubted   bool
	safe      bool
	lease     moment
	purge     store.Time
	version   uint64
	unstarted bool // no fingerprint: cancelled before any request was seen
}

// view is what the operator saw when looking at the record.
type view struct {
	token   uint8
	version uint64
}

// world is one state of everything. It is comparable; two worlds that differ in the names of the calls are one, see canonical.
type world struct {
	row      row
	calls    [copies]call
	now      moment
	epochs   uint8 // how many have passed
	losses   uint8 // answers to claims that got lost
	sealed   bool  // the watermark is at the key's stamp
	raised   bool  // the window was configured longer
	back     bool  // the store was opened again with a clock that had gone back
	reloaded bool  // the servers' policy was changed to Rerun
	looked   view
	told     uint8 // the reply that a client was given, as row.reply
	safe     bool  // a client was told safe_new_key: true
	again    bool  // the client's send under a new key took effect
	effects  uint8 // of the intent, under either key
}

// tidy forgets what can make no difference any more, so that fewer worlds differ.
func (w *world) tidy(clockMayGoBack bool) {
	for i := range w.calls {
		c := &w.calls[i]
		switch {
		case !c.late:
			c.until, c.mark, c.freed = 0, 0, false
		case w.now > c.until && !clockMayGoBack:
			c.until, c.mark = -1, 0
		}
		if w.sealed {
			c.passed = false
		}
		if !c.late && !c.passed {
			c.vouched = false
		}
	}
	if w.row.state == store.Done {
		w.row.version, w.looked = 0, view{}
	}
	if open := w.row.state == store.Claimed || w.row.state == store.Started; open && w.now >= w.row.lease {
		w.row.lease = -1
	}
}

// canonical renames the calls so that worlds which differ only in their names become equal.
func (w world) canonical() world {
	order := [copies]int{}
	for i := range order {
		order[i] = i
	}
	rank := [copies]uint64{}
	for i := range rank {
		rank[i] = w.rank(i)
	}
	slices.SortFunc(order[:], func(a, b int) int { return cmp.Compare(rank[a], rank[b]) })
	var name [256]uint8
	c := w
	for to, from := range order {
		c.calls[to] = w.calls[from]
		name[from+1] = uint8(to + 1)
	}
	for _, v := range []*uint8{&c.row.token, &c.row.reply, &c.looked.token, &c.told} {
		if n := name[*v]; n != 0 {
			*v = n
		}
	}
	for _, v := range []*uint64{&c.row.version, &c.looked.version} {
		if n := name[life(*v)]; n != 0 {
			*v += uint64(n)<<versionBits - uint64(life(*v))<<versionBits
		}
	}
	return c
}

// versionBits are those in which a version counts; above them stands whose claim it was counted from, see store.FirstVersion.
const versionBits = 12

func life(version uint64) uint8 { return uint8(version >> versionBits) }

// rank tells the calls of one world apart, with all that refers to them.
func (w *world) rank(i int) uint64 {
	c, me := w.calls[i], uint8(i+1)
	n := uint64(c.phase)<<48 | uint64(uint16(c.until))<<32 | uint64(uint16(c.mark))<<16
	for bit, on := range [...]bool{c.late, c.passed, c.vouched, c.freed, w.row.token == me, w.row.reply == me, w.looked.token == me, w.told == me,
		life(w.row.version) == me, life(w.looked.version) == me} {
		if on {
			n |= 1 << bit
		}
	}
	return n
}
