package memstore

import (
	"context"

	"github.com/onceward/onceward/store"
)

const (
	batch = 128  // records or marks under one hold of a shard's lock: some 50 µs
	round = 8192 // records between two raises of the watermarks
)

// Seal implements [store.Upkeep].
func (s *Store) Seal(ctx context.Context, name string, until store.Time) (store.Time, error) {
	if err := store.ValidateSeal(name, until); err != nil {
		return 0, err
	}
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	if err := s.over(ctx); err != nil {
		return 0, err
	}
	return s.raise(name, until)
}

// raise lifts the service's watermark in every shard. The caller holds upkeep, so all shards end with the same one.
func (s *Store) raise(name string, until store.Time) (store.Time, error) {
	var inForce store.Time
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		if sh.closed {
			sh.mu.Unlock()
			return 0, store.ErrClosed
		}
		svc := sh.service(name)
		svc.watermark = max(svc.watermark, until)
		inForce = svc.watermark
		sh.mu.Unlock()
	}
	return inForce, nil
}

// Purge implements [store.Upkeep]. It holds no lock of a shard for longer than some hundred records take. If ctx ends,
// what was removed so far stays removed, and the result counts it.
func (s *Store) Purge(ctx context.Context, q store.PurgeRequest) (store.PurgeResult, error) {
	if err := q.Validate(); err != nil {
		return store.PurgeResult{}, err
	}
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	if err := s.over(ctx); err != nil {
		return store.PurgeResult{}, err
	}
	res := store.PurgeResult{Now: s.clock.now()}
	if off := res.Now.Sub(q.Expect); q.Expect != 0 && off.Abs() > q.Tolerance {
		return res, store.ErrClock
	}
	s.expireMarks(res.Now)
	for res.Removed < q.Limit {
		if err := s.over(ctx); err != nil {
			return res, err
		}
		n, err := s.purgeRound(res.Now, min(round, q.Limit-res.Removed))
		res.Removed += n
		if err != nil {
			return res, err
		}
		if n == 0 {
			return res, nil
		}
	}
	res.More = s.anyDue(res.Now)
	return res, nil
}

// leaving is what a round removes from one shard.
type leaving struct {
	shard *shard
	refs  []ref
}

// purgeRound removes at most limit records. Between its first and its last step they are off the heaps, but still found:
// only this round, under upkeep, can remove them.
func (s *Store) purgeRound(now store.Time, limit int) (int, error) {
	newest := make(map[string]store.Time) // stamp that leaves, by service
	var all []leaving
	n := 0
	for range s.shards {
		if n == limit {
			break
		}
		sh := &s.shards[s.nextDue]
		s.nextDue = (s.nextDue + 1) % shardCount
		if refs := sh.takeDue(now, min(batch, limit-n), newest); len(refs) > 0 {
			all = append(all, leaving{sh, refs})
			n += len(refs)
		}
	}
	for name, stamp := range newest {
		if _, err := s.raise(name, stamp); err != nil {
			return 0, err
		}
	}
	for _, l := range all {
		s.remove(l)
	}
	return n, nil
}

// takeDue takes at most limit due records off the heap and notes the newest stamp of each service.
func (sh *shard) takeDue(now store.Time, limit int, newest map[string]store.Time) []ref {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var refs []ref
	for len(refs) < limit && sh.done.due.dueBy(now) {
		r := sh.done.due.pop().what
		refs = append(refs, r)
		if e := sh.done.at(r); e.stamp != 0 {
			name := sh.numbered[e.service].name
			newest[name] = max(newest[name], e.stamp)
		}
	}
	return refs
}

// remove makes the records absent; their watermarks are raised.
func (s *Store) remove(l leaving) {
	sh := l.shard
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return
	}
	for _, r := range l.refs {
		e := sh.done.at(r)
		svc, size := sh.numbered[e.service], doneSize(len(e.record))
		sh.done.drop(s.hash(e.id), r)
		svc.count[store.Done]--
		svc.bytes -= size
		s.room.give(-1, -size)
		sh.wake(e.id)
	}
}

func (s *Store) expireMarks(now store.Time) {
	for i := range s.shards {
		for n := int64(batch); n == batch; {
			sh := &s.shards[i]
			sh.mu.Lock()
			n = sh.marks.expire(now, batch)
			sh.mu.Unlock()
			s.room.give(0, -n*markOverhead)
		}
	}
}

func (s *Store) anyDue(now store.Time) bool {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		due := sh.done.due.dueBy(now)
		sh.mu.Unlock()
		if due {
			return true
		}
	}
	return false
}
