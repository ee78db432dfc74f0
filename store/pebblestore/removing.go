package pebblestore

import (
	"bytes"
	"errors"
	"fmt"
	"maps"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// removal takes done records out of a bucket whose deadline is over.
type removal struct {
	store   *Store
	service *service
	bucket  *bucket
	moved   []moved
	removed count
	newest  store.Time // stamp that leaves
	bound   []byte     // not nil: only the keys before it leave
}

// moved is an open record that leaves its bucket for the attic.
type moved struct {
	key    []byte // in the bucket
	index  []byte // its key in the index of open records
	entry  openEntry
	record []byte
}

// removeBuckets removes at most limit records of the service's buckets that are over at now, and each bucket with its last one. What is open in them moves to
// the attic first: watermark, moves and removal are one write, so that no crash leaves an absent record without its watermark, or an open one absent.
//
// A removed bucket is not probed any more, and nothing is put there again; its bytes are cut out of the files afterwards, by [Store.cutOut].
func (s *Store) removeBuckets(svc *service, now store.Time, limit int) (int, error) {
	if !svc.anyOver(now) {
		return 0, nil
	}
	svc.gate.Lock()
	defer svc.gate.Unlock()
	var all []*removal
	removed := 0
	for _, b := range svc.live.Load().all() {
		if b.deadline > now || removed >= limit {
			continue
		}
		r := &removal{store: s, service: svc, bucket: b}
		if err := r.plan(int64(limit - removed)); err != nil {
			return 0, err
		}
		all = append(all, r)
		removed += int(r.removed.done)
	}
	s.config.reach("re-home")
	if err := s.commit(func(b *pebble.Batch) error { return svc.fill(b, all) }, s.sync); err != nil {
		return 0, err
	}
	s.config.reach("removed")
	for _, r := range all {
		r.count()
	}
	return removed, nil
}

// anyOver reports whether a bucket is over at now.
func (svc *service) anyOver(now store.Time) bool {
	for _, b := range svc.live.Load().all() {
		if b.deadline <= now {
			return true
		}
	}
	return false
}

// fill writes the removals into the batch, and what rises with them.
func (svc *service) fill(b *pebble.Batch, all []*removal) error {
	var w writes
	watermark, newest := svc.watermark, maps.Clone(svc.live.Load().newest)
	for _, r := range all {
		w.add(r.fill(b))
		watermark = max(watermark, r.newest)
		if r.bound == nil {
			newest[r.bucket.kind] = max(newest[r.bucket.kind], r.bucket.at)
		}
	}
	if watermark > svc.watermark {
		w.add(b.Set(prefix(tagWatermark, svc.number), appendTime(nil, watermark), nil))
	}
	for k, at := range newest {
		w.add(b.Set(append(prefix(tagNewest, svc.number), byte(k)), appendTime(nil, at), nil))
	}
	return w.err
}

func (r *removal) plan(limit int64) error {
	if r.bucket.open.Load() > 0 {
		if err := r.findOpen(); err != nil {
			return err
		}
	}
	if r.removed = (count{r.bucket.done.Load(), r.bucket.bytes.Load()}); r.removed.done > limit {
		return r.some(limit)
	}
	return r.newestStamp()
}

// findOpen looks through the index of all open records: there are few, and an old bucket seldom has one.
func (r *removal) findOpen() error {
	for _, tag := range [...]byte{tagClaimed, tagStarted} {
		err := r.store.scan([]byte{tag}, func(key, value []byte) error {
			_, number, id, ok := parseIndexKey(key)
			e, err := parseOpenEntry(value)
			if !ok || err != nil {
				return fmt.Errorf("%w: an entry of the index of open records", ErrCorrupt)
			}
			if number != r.service.number || r.service.live.Load().at(e.place, r.store.width) != r.bucket {
				return nil
			}
			m := moved{key: recordKey(nil, number, e.place, id), index: bytes.Clone(key), entry: openEntry{place{kind: attic}, e.cost, e.reserve}}
			record, closer, err := r.store.db.Get(m.key)
			if err != nil {
				return fmt.Errorf("%w: open record %v: %w", ErrCorrupt, id, err)
			}
			m.record = bytes.Clone(record)
			r.moved = append(r.moved, m)
			return closer.Close()
		})
		if err != nil {
			return err
		}
	}
	if got, want := int64(len(r.moved)), r.bucket.open.Load(); got != want {
		return fmt.Errorf("%w: a bucket should have %d open records, the index has %d", ErrCorrupt, want, got)
	}
	return nil
}

func (r *removal) leaves(key []byte) bool {
	for _, m := range r.moved {
		if bytes.Equal(m.key, key) {
			return false
		}
	}
	return true
}

// newestStamp finds the last key of the bucket that is not moved: keys begin with the stamp.
func (r *removal) newestStamp() (err error) {
	if r.bucket.kind != stamped || r.removed.done == 0 {
		return nil
	}
	lower, upper := r.bucket.bounds(r.service.number)
	it, err := r.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return failed("purge", err)
	}
	for ok := it.Last(); ok; ok = it.Prev() {
		if r.leaves(it.Key()) {
			r.newest = timeAt(it.Key()[5:])
			break
		}
	}
	return readFailed("purge", errors.Join(it.Error(), it.Close()))
}

// some plans to remove the first records only. It reads keys and lengths, no values: steps wait for it.
func (r *removal) some(limit int64) (err error) {
	r.removed = count{}
	lower, upper := r.bucket.bounds(r.service.number)
	it, err := r.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return readFailed("purge", err)
	}
	for ok := it.First(); ok && r.removed.done < limit; ok = it.Next() {
		if !r.leaves(it.Key()) {
			continue
		}
		value := it.LazyValue()
		r.removed.done++
		r.removed.bytes += doneOverhead + int64(value.Len())
		if r.bucket.kind == stamped {
			r.newest = timeAt(it.Key()[5:])
		}
		r.bound = append(append(r.bound[:0], it.Key()...), 0)
	}
	return readFailed("purge", errors.Join(it.Error(), it.Close()))
}

func (r *removal) fill(b *pebble.Batch) error {
	n, name := r.service.number, func(tag byte) []byte { return bucketKey(tag, r.service.number, r.bucket.kind, r.bucket.at) }
	var all writes
	for _, m := range r.moved {
		all.add(b.Set(recordKey(nil, n, place{kind: attic}, store.ID(m.key[len(m.key)-idSize:])), m.record, nil))
		all.add(b.Set(m.index, m.entry.append(nil), nil))
		all.add(b.Delete(m.key, nil))
	}
	if r.bound != nil {
		lower, _ := r.bucket.bounds(n)
		all.add(b.DeleteRange(lower, r.bound, nil))
		all.add(b.Merge(name(tagCount), count{-r.removed.done, -r.removed.bytes}.append(nil), nil))
		return all.err
	}
	all.add(b.Delete(name(tagBucket), nil))
	all.add(b.Delete(name(tagCount), nil))
	all.add(b.Set(name(tagRemoved), r.bucket.row(), nil))
	return all.err
}

// count notes the removal in memory.
func (r *removal) count() {
	svc := r.service
	svc.watermark = max(svc.watermark, r.newest)
	svc.totals.done.Add(-r.removed.done)
	svc.totals.bytes.Add(-r.removed.bytes)
	r.store.room.give(-r.removed.done, -r.removed.bytes)
	svc.attic.Add(int64(len(r.moved)))
	r.bucket.open.Add(-int64(len(r.moved)))
	r.bucket.done.Add(-r.removed.done)
	r.bucket.bytes.Add(-r.removed.bytes)
	if live := *svc.live.Load(); r.bound == nil {
		svc.live.Store(live.without(r.bucket))
	} else {
		svc.live.Store(&live) // stripes must forget what was moved
	}
}
