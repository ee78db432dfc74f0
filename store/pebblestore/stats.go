package pebblestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// Stats implements [store.Upkeep]. It visits the index of the unknown records, and no record.
func (s *Store) Stats(ctx context.Context, name string) (store.Stats, error) {
	if len(name) > store.MaxName {
		return store.Stats{}, fmt.Errorf("%w: service has %d bytes: it must have at most %d", store.ErrInvalid, len(name), store.MaxName)
	}
	if err := s.enter(ctx); err != nil {
		return store.Stats{}, err
	}
	defer s.life.RUnlock()
	return s.count(ctx, name)
}

func (s *Store) count(ctx context.Context, name string) (store.Stats, error) {
	st := store.Stats{MaxRecords: s.room.maxRecords, MaxBytes: s.room.maxBytes}
	for _, svc := range *s.services.byNumber.Load() {
		if name != "" && svc.name != name {
			continue
		}
		svc.gate.RLock()
		st.Claimed += svc.totals.claimed.Load()
		st.Started += svc.totals.started.Load()
		st.Done += svc.totals.done.Load()
		st.Bytes += svc.totals.bytes.Load()
		if name != "" {
			st.Watermark = svc.watermark
		}
		svc.gate.RUnlock()
	}
	st.Now = s.clock.now()
	return st, s.countUnknown(ctx, &st, name)
}

func (s *Store) countUnknown(ctx context.Context, st *store.Stats, name string) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{tagStarted}, UpperBound: appendTime([]byte{tagStarted}, st.Now+1)})
	if err != nil {
		return failed("stats", err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		err = ctx.Err()
		lease, number, _, ok := parseIndexKey(it.Key())
		if svc := s.numbered(number); !ok || name != "" && (svc == nil || svc.name != name) {
			continue
		}
		if st.Unknown++; st.OldestUnknown == 0 {
			st.OldestUnknown = lease
		}
	}
	st.Started = max(st.Started-st.Unknown, 0) // they are counted a moment apart
	return failed("stats", errors.Join(err, it.Close()))
}
