package pgstore

import (
	"fmt"
	"strings"
	"time"

	"github.com/onceward/onceward/store"
)

// planned is what a table needs so that new keys have a place.
type planned struct {
	missing, mark []known // to make; and what is there, and is behind a gap from now on
	holes         []span  // of partitions that somebody has removed
}

// plan finds what is missing, from the newest partition that is not of the future until two widths ahead. None is made where a partition may have been whose records
// are not sealed, or they would run again: not at or below the watermark of dropped ones; not where a table was detached by hand; and not between two partitions, unless
// we have left a gap there ourselves, because nobody had made any for longer than the window. A clock that jumps ahead leaves such gaps, which are filled when it is right again.
func (c PartitionConfig) plan(now, floor store.Time, have []known) (p planned) {
	oldest := now.Add(-c.Window).Add(-c.Skew)
	at, above, ours := store.Time(0), have, false // is what is missing at this place a gap of ours?
	for _, k := range have {
		if k.to > oldest && (!k.attached || k.pending) {
			p.holes = append(p.holes, k.span)
		}
		if k.from <= now {
			at, above = max(at, k.to), above[1:]
		}
	}
	if at < oldest { // the first ones; or ours are all dropped, or to be dropped
		w := store.Time(millis(c.Width))
		at, ours = max(oldest/w*w, at), true
	}
	if at <= floor {
		at, ours = floor+1, true
	}
	apart := ours
	for until := now.Add(c.Skew).Add(2 * c.Width); at <= until; {
		s := next(at, c.Width)
		if len(above) > 0 {
			k := above[0]
			switch {
			case k.from <= at:
				at, above, ours, apart = max(at, k.to), above[1:], false, false
				continue
			case !ours && !k.apart:
				p.holes, at = append(p.holes, span{at, k.from}), k.from
				continue
			}
			s.to = min(s.to, k.from)
		}
		p.missing, at, apart = append(p.missing, known{span: s, apart: apart}), s.to, false
	}
	if ours && len(above) > 0 && !above[0].apart && above[0].from > at {
		p.mark = above[:1]
	}
	return p
}

// hole is an error that names what somebody has removed.
func (c PartitionConfig) hole(holes []span) error {
	if len(holes) == 0 {
		return nil
	}
	var names []string
	for _, s := range holes {
		names = append(names, fmt.Sprintf(`of keys minted from %s to %s: if it was detached, attach it again (after an interrupted DETACH … CONCURRENTLY: DETACH … FINALIZE first): ALTER TABLE %s.records ATTACH PARTITION %s.%s FOR VALUES FROM (%d) TO (%d)`,
			s.from.Std().UTC().Format(time.RFC3339), s.to.Std().UTC().Format(time.RFC3339), c.Schema, c.Schema, s.table(), s.from, s.to))
	}
	return fmt.Errorf("%w that was there, %s", ErrPartition, strings.Join(names, "; "))
}
