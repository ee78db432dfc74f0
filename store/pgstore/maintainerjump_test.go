package pgstore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// A clock that has jumped while a maintainer of one round came by, on the machine of the database, costs what was remembered then, as on a plain table. When it is right
// again, new keys run: the floor is at the newest key, not at the clock.
func TestClockThatHasJumpedSealsNoNewKeys(t *testing.T) {
	for _, jump := range []time.Duration{26 * time.Hour, 40 * time.Hour, 30 * 24 * time.Hour} {
		for _, rounds := range []int{1, 2} {
			t.Run(fmt.Sprint(jump, " ", rounds), func(t *testing.T) {
				p := newParted(t)
				move(t, p.s, time.Hour)
				p.maintain(t)
				who := identity("k", p.now(t))
				a, err := p.s.Claim(t.Context(), claimOf(who, tokenOf(1)))
				want(t, a, err, store.Granted)
				a, err = p.s.Advance(t.Context(), completeOf(who, tokenOf(1), "r"))
				want(t, a, err, store.Applied)
				move(t, p.s, jump)
				for range rounds {
					p.maintain(t)
				}
				move(t, p.s, -jump)
				p.s = p.again(t, p.schema) // the other one has seen the wrong time
				p.maintain(t)
				if floor := p.floor(t); floor > who.Stamp {
					t.Errorf("the floor is %v ahead of the newest key", floor.Sub(who.Stamp))
				}
				for n := range 5 {
					a, err = p.s.Claim(t.Context(), claimOf(identity(fmt.Sprint("new", n), p.now(t)), tokenOf(2)))
					want(t, a, err, store.Granted)
					a, err = p.s.Claim(t.Context(), claimOf(who, tokenOf(3)))
					if jump > testKeep+testWidth { // its partition was dropped
						want(t, a, err, store.Expired)
					}
					move(t, p.s, testWidth)
					p.maintain(t)
				}
			})
		}
	}
}

// Where new partitions may be made, and where not.
func TestPartitionsArePlanned(t *testing.T) {
	const w = store.Time(10)
	c := PartitionConfig{Width: 10 * time.Millisecond, Window: 40 * time.Millisecond, Skew: 5 * time.Millisecond, Schema: "s"}
	at := func(from, to store.Time) known { return known{span: span{from, to}, attached: true, ours: true} }
	gone := func(from, to store.Time) known { return known{span: span{from, to}, ours: true} }
	apart := func(from, to store.Time) known {
		k := at(from, to)
		k.apart = true
		return k
	}
	row := func(from, to store.Time) (all []known) {
		for f := from; f < to; f += w {
			all = append(all, at(f, f+w))
		}
		return all
	}
	join := func(parts ...[]known) []known { return slices.Concat(parts...) }
	one := func(k ...known) []known { return k }
	for name, x := range map[string]struct {
		now, floor store.Time
		have       []known
		want       []span // the first and the last that are made
		holes      []span
	}{
		"the first":                   {1000, 0, nil, []span{{950, 960}, {1020, 1030}}, nil},
		"nothing is missing":          {1000, 0, row(950, 1030), nil, nil},
		"the next":                    {1005, 0, row(950, 1030), []span{{1030, 1040}}, nil},
		"after a pause":               {1040, 0, row(950, 1030), []span{{1030, 1040}, {1060, 1070}}, nil},
		"after a window":              {1080, 0, row(950, 1030), []span{{1030, 1040}, {1100, 1110}}, nil},
		"after more":                  {2000, 0, row(950, 1030), []span{{1950, 1960}, {2020, 2030}}, nil},
		"a width that fits none":      {1076, 0, join(row(950, 1030), one(at(1030, 1033))), []span{{1033, 1040}, {1100, 1110}}, nil},
		"above the floor":             {1000, 976, nil, []span{{977, 980}, {1020, 1030}}, nil},
		"a clock that was ahead":      {1000, 993, join(one(apart(3000, 3010)), row(3010, 3080)), []span{{994, 1000}, {1020, 1030}}, nil},
		"a little ahead":              {1000, 993, join(one(apart(1023, 1033)), row(1033, 1080)), []span{{994, 1000}, {1020, 1023}}, nil},
		"ahead, and nothing dropped":  {1020, 0, join(row(950, 1030), one(apart(3000, 3010)), row(3010, 3080)), []span{{1030, 1040}, {1040, 1050}}, nil},
		"ahead, and some dropped":     {1000, 993, row(1020, 1050), []span{{994, 1000}, {1010, 1020}}, nil},
		"the current one is detached": {1000, 0, join(row(950, 1000), one(gone(1000, 1010)), row(1010, 1030)), nil, []span{{1000, 1010}}},
		"the current one is removed":  {1000, 0, join(row(950, 1000), row(1010, 1030)), nil, []span{{1000, 1010}}},
		"the newest is detached":      {1005, 0, join(row(950, 1020), one(gone(1020, 1030))), []span{{1030, 1040}}, []span{{1020, 1030}}},
		"an old one is detached":      {1000, 0, join(one(gone(930, 940)), row(950, 1030)), nil, nil},
	} {
		p := c.plan(x.now, x.floor, x.have)
		var ends []span
		for i, k := range p.missing {
			if i == 0 || i == len(p.missing)-1 {
				ends = append(ends, k.span)
			}
		}
		all := append(slices.Clone(x.have), p.missing...)
		for i, a := range all {
			for _, b := range all[:i] {
				if a.from < b.to && b.from < a.to {
					t.Errorf("%s: %v overlaps %v", name, a.span, b.span)
				}
			}
		}
		if !slices.Equal(ends, x.want) || !slices.Equal(p.holes, x.holes) {
			t.Errorf("%s: made are %v, holes %v", name, p.missing, p.holes)
		}
	}
}
