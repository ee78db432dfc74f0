package memstore

import "github.com/onceward/onceward/store"

// put makes the record what the step says.
func (s *Store) put(h *held, step *store.Step, reserve int64) error {
	r := step.Answer.Record
	switch {
	case r.State == store.Done:
		return s.finish(h, &step.Answer.Record, step.Answer.Now)
	case h.open == nil:
		return s.create(h, r, reserve)
	}
	o, svc := h.open, h.service
	if more := reserve - o.reserve; step.Answer.Verdict == store.TakenOver && more > 0 {
		// A takeover at capacity must work, and so must the save of its reply.
		o.reserve += more
		o.size += more
		svc.bytes += more
		s.room.give(0, more)
	}
	svc.count[o.record.State]--
	svc.count[r.State]++
	o.record = r
	return nil
}

// create begins a record's life.
func (s *Store) create(h *held, r store.Record, reserve int64) error {
	size := openSize(r.Identity, reserve)
	if err := s.room.take(1, size); err != nil {
		return err
	}
	r.Service = h.service.name // one string for all records of the service
	o := h.shard.newOpen()
	o.record, o.reserve, o.size = r, reserve, size
	h.shard.open[r.ID] = o
	h.service.count[r.State]++
	h.service.bytes += size
	return nil
}

// finish makes the record Done, with the store's own copy of its reply. A reply within the reserve, and a tombstone, never need more room than the open
// record had.
func (s *Store) finish(h *held, r *store.Record, now store.Time) error {
	e := h.shard.done.encode(*r, h.service.number)
	size := doneSize(len(e) - entryHeader)
	var records, had int64 = 1, 0
	if h.open != nil {
		records, had = 0, h.open.size
	}
	if err := s.room.take(records, size-had); err != nil {
		return err
	}
	kept := h.shard.done.at(h.shard.done.add(h.hash, e, r.PurgeAt, now)).record
	if r.Reply != nil {
		r.Reply = kept[len(kept)-len(r.Reply):]
	}
	if h.open != nil {
		h.service.count[h.open.record.State]--
		h.shard.close(h.open)
	}
	h.service.count[store.Done]++
	h.service.bytes += size - had
	return nil
}

// drop makes an open record absent.
func (s *Store) drop(h *held) {
	o := h.open
	h.service.count[o.record.State]--
	h.service.bytes -= o.size
	s.room.give(-1, -o.size)
	h.shard.close(o)
}
