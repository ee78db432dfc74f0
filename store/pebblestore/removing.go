package pebblestore

import (
	"context"
	"errors"
	"maps"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// removal takes a bucket whose deadline is over, with all its records.
type removal struct {
	service *service
	bucket  *bucket
	removed count
	newest  store.Time // stamp that leaves
}

// removeBuckets removes the service's buckets that are over at now, whole and all together: that is one write however many records they have. What is open
// in them has moved to the attic before. Watermark and removal are one write, so that no crash leaves an absent record without its watermark.
//
// A removed bucket is not probed any more, and nothing is put there again; its bytes are cut out of the files afterwards, by [Store.cutOut].
func (s *Store) removeBuckets(ctx context.Context, svc *service, now store.Time) (int, error) {
	if len(svc.over(now)) == 0 {
		return 0, nil
	}
	if err := s.moveOpen(ctx, svc, now); err != nil {
		return 0, err
	}
	if _, _, err := s.removals(svc, now, nil); err != nil { // what they read is in memory, then, while steps wait
		return 0, err
	}
	svc.gate.Lock()
	defer svc.gate.Unlock()
	moving, err := s.lastOpen(svc, now)
	if err != nil {
		return 0, err
	}
	all, removed, err := s.removals(svc, now, moving)
	if err != nil {
		return 0, err
	}
	s.config.reach("re-home")
	if err := s.commit(func(b *pebble.Batch) error { return svc.fill(b, moving, all) }, s.sync); err != nil {
		return 0, err
	}
	s.config.reach("removed")
	svc.moved(moving)
	for _, r := range all {
		r.count(s)
	}
	return removed, nil
}

// removals are those of all buckets that are over at now.
func (s *Store) removals(svc *service, now store.Time, moving []move) (all []*removal, records int, err error) {
	for _, b := range svc.over(now) {
		r := &removal{service: svc, bucket: b, removed: count{b.done.Load(), b.bytes.Load()}}
		if err := r.newestStamp(s, moving); err != nil {
			return nil, 0, err
		}
		all, records = append(all, r), records+int(r.removed.done)
	}
	return all, records, nil
}

// over are the buckets that are over at now. Nothing new comes into them.
func (svc *service) over(now store.Time) (over []*bucket) {
	for _, b := range svc.live.Load().all() {
		if b.deadline <= now {
			over = append(over, b)
		}
	}
	return over
}

// fill writes moves and removals into the batch, and what rises with them.
func (svc *service) fill(b *pebble.Batch, moving []move, all []*removal) error {
	var w firstError
	watermark, newest := svc.watermark, maps.Clone(svc.live.Load().newest)
	for _, m := range moving {
		w.add(m.fill(b))
	}
	for _, r := range all {
		w.add(r.fill(b))
		watermark = max(watermark, r.newest)
		newest[r.bucket.kind] = max(newest[r.bucket.kind], r.bucket.at)
	}
	if watermark > svc.watermark {
		w.add(b.Set(prefix(tagWatermark, svc.number), appendTime(nil, watermark), nil))
	}
	for k, at := range newest {
		w.add(b.Set(append(prefix(tagNewest, svc.number), byte(k)), appendTime(nil, at), nil))
	}
	return w.err
}

// newestStamp finds the last key of the bucket that does not move: keys begin with the stamp.
func (r *removal) newestStamp(s *Store, moving []move) (err error) {
	if r.bucket.kind != stamped || r.removed.done == 0 {
		return nil
	}
	defer readSafely(&err)
	stays := map[string]bool{}
	for _, m := range moving {
		stays[string(m.from)] = true
	}
	lower, upper := r.bucket.bounds(r.service.number)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return readFailed("purge", err)
	}
	for ok := it.Last(); ok; ok = it.Prev() {
		if !stays[string(it.Key())] {
			r.newest = timeAt(it.Key()[5:])
			break
		}
	}
	return readFailed("purge", errors.Join(it.Error(), it.Close()))
}

func (r *removal) fill(b *pebble.Batch) error {
	name := func(tag byte) []byte { return bucketKey(tag, r.service.number, r.bucket.kind, r.bucket.at) }
	var all firstError
	all.add(b.Delete(name(tagBucket), nil))
	all.add(b.Delete(name(tagCount), nil))
	all.add(b.Set(name(tagRemoved), r.bucket.row(), nil))
	return all.err
}

// count notes the removal in memory.
func (r *removal) count(s *Store) {
	svc := r.service
	svc.watermark = max(svc.watermark, r.newest)
	svc.totals.done.Add(-r.removed.done)
	svc.totals.bytes.Add(-r.removed.bytes)
	s.room.give(-r.removed.done, -r.removed.bytes)
	svc.live.Store(svc.live.Load().without(r.bucket))
	s.sieves.end(r.bucket.sieve)
}
