package pebblestore

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// write carries out the step, whole or not at all, and returns once it is durable.
func (h *held) write(step *store.Step, t store.Token, keep keeping) (store.Answer, error) {
	if step.Write == store.Keep && step.Mark == 0 && step.Entry == nil {
		return step.Answer, nil
	}
	s := h.store
	if err := s.backlog.admit(h.record.State == store.Absent && step.Write == store.Put); err != nil {
		return store.Answer{}, err
	}
	c := change{held: h}
	if step.Write != store.Keep {
		if err := c.prepare(&step.Answer.Record, step, keep); err != nil {
			return store.Answer{}, err
		}
	}
	point := pointOf(step)
	s.config.reach(point)
	err := s.append(step, h.who.ID, t, func(b *pebble.Batch) error {
		if step.Write == store.Keep {
			return nil
		}
		return c.fill(b)
	})
	if err != nil {
		if step.Write != store.Keep {
			c.undo()
		}
		return store.Answer{}, err
	}
	s.config.reach("after " + point)
	if step.Write != store.Keep {
		c.count()
		h.stripe.keep(&c)
		if step.Answer.Record.Version != h.record.Version {
			s.wake(h.who.ID)
		}
	}
	return step.Answer, nil
}

// pointOf names the step for tests that end the process at it.
func pointOf(step *store.Step) string {
	switch {
	case step.Write == store.Put && step.Answer.Record.State == store.Done:
		return "complete"
	case step.Write == store.Put:
		return "claim"
	}
	return "release"
}

// change is what a step changes: the held record becomes next, at to.
type change struct {
	*held
	next    store.Record // State Absent: removed
	value   []byte
	to      place
	bucket  *bucket // of to
	cost    int64
	reserve int64
	took    taken
}

// taken is what a change has taken from the room before it is written.
type taken struct{ records, bytes, reserve int64 }

// prepare decides where the record will stand, and takes the room that it needs.
func (c *change) prepare(r *store.Record, step *store.Step, keep keeping) error {
	h, s := c.held, c.held.store
	c.next, c.to, c.bucket = *r, h.place, h.bucket
	if step.Write == store.Remove {
		c.next = store.Record{}
		return nil
	}
	if h.record.State == store.Absent {
		c.took.reserve = keep.reserve
		err := s.disk.refuse(s.room.reserved.Add(keep.reserve)) // taken first, so that two at once do not both get the last
		if err == nil {
			c.to, c.bucket, err = s.home(h.service, h.who, step.Answer.Now, keep.window, keep.guard)
		}
		if err != nil {
			c.undo()
			return err
		}
		if c.bucket != nil {
			c.bucket.sieve.add(h.hash)
		}
	}
	if r.State == store.Done {
		if c.bucket != nil && !c.bucket.fits(r.PurgeAt) {
			c.to, c.bucket = place{kind: attic}, nil
		}
		r.Reply = slices.Clone(r.Reply) // the caller keeps its own
	} else {
		c.reserve = max(h.reserve, keep.reserve)
	}
	c.value = encode(*r, c.reserve)
	c.cost = cost(*r, len(c.value), c.reserve)
	records := int64(0)
	if h.record.State == store.Absent {
		records = 1
	}
	if h.record.Open() && r.Open() { // a takeover at capacity must work, and so must the save of its reply
		s.room.give(records, c.cost-h.cost)
	} else if err := s.room.take(records, c.cost-h.cost); err != nil {
		c.undo()
		return err
	}
	c.took.records, c.took.bytes = records, c.cost-h.cost
	return nil
}

// undo gives back what the change has taken.
func (c *change) undo() {
	c.store.room.give(-c.took.records, -c.took.bytes)
	c.store.room.reserved.Add(-c.took.reserve)
}

// fill writes the change into the batch.
func (c *change) fill(b *pebble.Batch) error {
	h, n := c.held, c.held.service.number
	key := recordKey(make([]byte, 0, recordSize), n, c.to, h.who.ID)
	var all firstError
	if h.record.Open() {
		if c.next.State == store.Absent || c.to != h.place {
			all.add(b.Delete(recordKey(make([]byte, 0, recordSize), n, h.place, h.who.ID), nil))
		}
		if !c.next.Open() || c.next.State != h.record.State || c.next.Lease != h.record.Lease {
			all.add(b.Delete(indexKey(make([]byte, 0, indexSize), stateTag(h.record.State), h.record.Lease, n, h.who.ID), nil))
		}
	}
	switch {
	case c.next.Open():
		all.add(b.Set(key, c.value, nil))
		all.add(b.Set(indexKey(make([]byte, 0, indexSize), stateTag(c.next.State), c.next.Lease, n, h.who.ID), openEntry{c.to, c.cost, c.reserve}.append(make([]byte, 0, 32)), nil))
	case c.next.State == store.Done:
		all.add(b.Set(key, c.value, nil))
		all.add(b.Merge(countKey(n, c.to, c.bucket), count{1, c.cost}.append(nil), nil))
		if c.to.kind == attic {
			all.add(b.Set(indexKey(make([]byte, 0, indexSize), tagDue, c.next.PurgeAt, n, h.who.ID), dueEntry{c.next.Stamp, c.cost}.append(nil), nil))
		}
	}
	return all.err
}

func countKey(service uint32, p place, b *bucket) []byte {
	if b == nil {
		return bucketKey(tagCount, service, attic, 0)
	}
	return bucketKey(tagCount, service, p.kind, b.at)
}

// count notes the change in memory.
func (c *change) count() {
	h, t := c.held, &c.held.service.totals
	h.store.room.reserved.Add(-c.took.reserve) // what is open counts below
	if h.record.State != store.Absent {
		t.of(h.record.State).Add(-1)
		t.bytes.Add(-h.cost)
		h.store.room.reserved.Add(-h.reserve)
		if h.bucket != nil {
			h.bucket.open.Add(-1)
		} else {
			h.service.attic.Add(-1)
		}
	}
	if c.next.State == store.Absent {
		h.store.room.give(-1, -h.cost)
		return
	}
	t.of(c.next.State).Add(1)
	t.bytes.Add(c.cost)
	h.store.room.reserved.Add(c.reserve)
	switch {
	case c.bucket == nil:
		h.service.attic.Add(1)
	case c.next.Open():
		c.bucket.open.Add(1)
	default:
		c.bucket.done.Add(1)
		c.bucket.bytes.Add(c.cost)
	}
}
