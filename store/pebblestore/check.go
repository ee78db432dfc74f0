package pebblestore

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// maxFaults is how many faults a check names; the rest are counted.
const maxFaults = 20

// check holds everything that the directory has against everything else, and reports what does not fit. It reads each record, and with them the checksums
// of all blocks. Nothing may be written meanwhile.
type check struct {
	*Store
	seen    map[store.ID]bool
	removed []pebble.KeyRange // not cut out yet: nobody finds what is there
	tallies map[string]*tally // by the key of the bucket's or attic's count
	Records int64
	Faults  []string
	more    int
}

// tally is what a check finds in a bucket.
type tally struct {
	count
	open    int64 // less those in the index
	records int64 // open ones in a bucket, all in the attic
}

// maxSeen bounds the memory of the search for ids that stand twice.
const maxSeen = 1 << 20

func (s *Store) check() (*check, error) {
	c := &check{Store: s, seen: map[store.ID]bool{}, tallies: map[string]*tally{}}
	err := s.scan([]byte{tagRemoved}, func(key, value []byte) error {
		n, k, at, _ := parseBucketKey(key)
		if b, ok := parseBucketRow(k, at, value); ok {
			lower, upper := b.bounds(n)
			c.removed = append(c.removed, pebble.KeyRange{Start: lower, End: upper})
		} else {
			c.fault("a removed bucket is unreadable under the key %x", key)
		}
		return nil
	})
	for _, k := range [...]kind{stamped, fresh, attic} {
		if err == nil {
			err = s.scan([]byte{byte(k)}, c.record)
		}
	}
	for tag, visit := range map[byte]func(key, value []byte) error{tagClaimed: c.open, tagStarted: c.open, tagDue: c.due, tagTrail: c.entry} {
		if err == nil {
			err = s.scan([]byte{tag}, visit)
		}
	}
	if err == nil {
		c.counts()
		err = s.db.CheckLevels(nil)
	}
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return c, nil
}

func (c *check) fault(format string, args ...any) {
	if len(c.Faults) == maxFaults {
		c.more++
		return
	}
	c.Faults = append(c.Faults, fmt.Sprintf(format, args...))
}

func (c *check) tally(service uint32, p place, b *bucket) *tally {
	key := string(countKey(service, p, b))
	if c.tallies[key] == nil {
		c.tallies[key] = &tally{}
	}
	return c.tallies[key]
}

func (c *check) record(key, value []byte) error {
	for _, span := range c.removed {
		if bytes.Compare(key, span.Start) >= 0 && bytes.Compare(key, span.End) < 0 {
			return nil
		}
	}
	p, id := place{kind: kind(key[0])}, store.ID{}
	svc := c.serviceOf(key)
	switch {
	case svc == nil:
		c.fault("the key %x has a service that is not there", key)
		return nil
	case p.kind == attic && len(key) == 5+idSize:
	case p.kind != attic && len(key) == 5+8+idSize:
		p.at = timeAt(key[5:])
	default:
		c.fault("the key %x is of no record", key)
		return nil
	}
	copy(id[:], key[len(key)-idSize:])
	b := svc.live.Load().at(p, c.width)
	if b == nil && p.kind != attic {
		c.fault("record %v stands in a bucket that is not there", id)
		return nil
	}
	r, reserve, err := decode(store.Identity{ID: id}, value)
	if err != nil {
		c.fault("%v", err)
		return nil
	}
	c.Records++
	if c.seen[id] {
		c.fault("record %v stands twice", id)
	} else if len(c.seen) < maxSeen {
		c.seen[id] = true
	}
	if r.Service != svc.name || p.kind == stamped && r.Stamp != p.at || p.kind == fresh && r.Stamp != 0 {
		c.fault("record %v stands under the key of another", id)
	}
	t := c.tally(svc.number, p, b)
	if b == nil || r.Open() {
		t.records++
	}
	if r.State == store.Done {
		t.done, t.bytes = t.done+1, t.bytes+cost(r, len(value), reserve)
		if b != nil && !b.fits(r.PurgeAt) {
			c.fault("record %v does not fit into its bucket", id)
		}
		if b == nil {
			c.indexed(indexKey(nil, tagDue, r.PurgeAt, svc.number, id), dueEntry{r.Stamp, cost(r, len(value), reserve)}.append(nil), id)
		}
		return nil
	}
	t.open++
	c.indexed(indexKey(nil, stateTag(r.State), r.Lease, svc.number, id), openEntry{p, cost(r, len(value), reserve), reserve}.append(nil), id)
	return nil
}

// indexed holds the index to the record.
func (c *check) indexed(key, want []byte, id store.ID) {
	value, closer, err := c.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		c.fault("record %v is missing in its index", id)
		return
	}
	if err != nil {
		c.fault("record %v in its index: %v", id, err)
		return
	}
	defer closer.Close()
	if !bytes.Equal(value, want) {
		c.fault("record %v is another in its index", id)
	}
}

// open counts the index down: each entry that no record asked for is left over.
func (c *check) open(key, value []byte) error {
	_, n, id, ok := parseIndexKey(key)
	e, unreadable := parseOpenEntry(value)
	svc := c.numbered(n)
	if !ok || unreadable != nil || svc == nil {
		c.fault("the key %x is of no open record", key)
		return nil //nolint:nilerr // a fault of the report; the check goes on
	}
	b := svc.live.Load().at(e.place, c.width)
	if b == nil && e.place.kind != attic {
		c.fault("open record %v is said to be in a bucket that is not there", id)
		return nil
	}
	c.tally(n, e.place, b).open--
	return nil
}

func (c *check) due(key, value []byte) error {
	_, n, _, ok := parseIndexKey(key)
	if e, err := parseDueEntry(value); !ok || err != nil {
		c.fault("the key %x is of no record in the attic", key)
	} else {
		t := c.tally(n, place{kind: attic}, nil)
		t.done, t.bytes = t.done-1, t.bytes-e.cost
	}
	return nil
}

func (c *check) entry(key, value []byte) error {
	if _, err := decodeEntry(value); err != nil {
		c.fault("entry %x of the trail: %v", key[1:], err)
	}
	return nil
}

// counts holds what was found to what the store has counted.
func (c *check) counts() {
	for _, svc := range *c.services.byNumber.Load() {
		a := c.tally(svc.number, place{kind: attic}, nil)
		if a.done != 0 || a.bytes != 0 || a.open != 0 {
			c.fault("the attic of %q and its indexes differ by %d done records, %d bytes, %d open records", svc.name, a.done, a.bytes, a.open)
		}
		if n := svc.attic.Load(); a.records != n {
			c.fault("the attic of %q has %d records, %d are counted", svc.name, a.records, n)
		}
		for _, b := range svc.live.Load().all() {
			t := c.tally(svc.number, place{b.kind, b.at}, b)
			if n := b.open.Load(); t.records != n {
				c.fault("the bucket %v of %q has %d open records, %d are counted", b.at.Std(), svc.name, t.records, n)
			}
			if t.open != 0 || t.done != b.done.Load() || t.bytes != b.bytes.Load() {
				c.fault("the bucket %v of %q has %d done records with %d bytes, %d are counted with %d; its open ones and their index differ by %d",
					b.at.Std(), svc.name, t.done, t.bytes, b.done.Load(), b.bytes.Load(), t.open)
			}
		}
	}
	if c.more > 0 {
		c.Faults = append(c.Faults, fmt.Sprintf("and %d more", c.more))
	}
}
