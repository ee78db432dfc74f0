package pebblestore

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// Seal implements [store.Upkeep]. It waits for the steps of the service that are under way, and those that come later see the new watermark.
func (s *Store) Seal(ctx context.Context, name string, until store.Time) (store.Time, error) {
	if err := store.ValidateSeal(name, until); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.life.RUnlock()
	if err := s.pass(ctx); err != nil {
		return 0, err
	}
	svc, err := s.service(name)
	if err != nil {
		return 0, err
	}
	svc.gate.Lock()
	defer svc.gate.Unlock()
	if until <= svc.watermark {
		return svc.watermark, nil
	}
	if err := s.commit(func(b *pebble.Batch) error {
		return b.Set(prefix(tagWatermark, svc.number), appendTime(nil, until), nil)
	}, s.sync); err != nil {
		return 0, err
	}
	s.config.reach("watermark")
	svc.watermark = until
	return until, nil
}

// Purge implements [store.Upkeep]. All buckets of a service that are over go in one synced write, however many records they have and whatever the limit is; the service's steps wait for
// that write. The limit is for records of the attic, which go one by one. If ctx ends, what was removed so far stays removed, and the result counts it. What cannot be removed, for
// something of it is damaged, holds up nothing else; the error is the first.
func (s *Store) Purge(ctx context.Context, q store.PurgeRequest) (res store.PurgeResult, err error) {
	if err := q.Validate(); err != nil {
		return res, err
	}
	if err := s.enter(ctx); err != nil {
		return res, err
	}
	defer s.life.RUnlock()
	res.Now = s.clock.now() // as the caller expects it: before a turn that may be long in coming
	if off := res.Now.Sub(q.Expect); q.Expect != 0 && off.Abs() > q.Tolerance {
		return res, store.ErrClock
	}
	if err := s.upkeep.take(ctx, s.closing); err != nil {
		return res, err
	}
	defer s.upkeep.give()
	var all firstError
	for _, svc := range *s.services.byNumber.Load() {
		if err := s.pass(ctx); err != nil {
			all.add(err)
			return res, all.err
		}
		n, err := s.removeBuckets(ctx, svc, res.Now)
		res.Removed += n
		all.add(err)
	}
	for more := true; more && res.Removed < q.Limit && ctx.Err() == nil; {
		if err := s.pass(ctx); err != nil {
			all.add(err)
			return res, all.err
		}
		n, err := s.purgeAttic(res.Now, min(atticBatch, q.Limit-res.Removed))
		res.Removed += n
		all.add(err)
		more = n > 0 && err == nil
	}
	all.add(s.cutOut(ctx))
	all.add(s.forget(ctx, res.Now))
	all.add(failed("set the ballast aside", s.disk.setAside(ctx, s.closing, 4*s.disk.least)))
	if res.Removed >= q.Limit {
		res.More, err = s.moreInAttic(res.Now)
		all.add(err)
	}
	return res, all.err
}

func (s *Store) moreInAttic(now store.Time) (more bool, err error) {
	err = s.scanRange([]byte{tagDue}, appendTime([]byte{tagDue}, now+1), func(_, _ []byte) error {
		more = true
		return errEnough
	})
	return more, err
}
