package memstore

import (
	"context"
	"fmt"

	"github.com/onceward/onceward/store"
)

// Stats implements [store.Upkeep]. It visits the open records, but none that is Done. The bytes of all services together
// include the marks of released tokens, which belong to none.
func (s *Store) Stats(ctx context.Context, name string) (store.Stats, error) {
	if len(name) > store.MaxName {
		return store.Stats{}, fmt.Errorf("%w: service has %d bytes: it must have at most %d", store.ErrInvalid, len(name), store.MaxName)
	}
	if err := s.over(ctx); err != nil {
		return store.Stats{}, err
	}
	st := store.Stats{Now: s.clock.now(), MaxRecords: bound(s.room.maxRecords), MaxBytes: bound(s.room.maxBytes)}
	for i := range s.shards {
		s.shards[i].addTo(&st, name)
	}
	if name == "" {
		st.Bytes = s.room.bytes.Load()
		st.Watermark = 0
	}
	return st, nil
}

func bound(most int64) int64 {
	if most == NoLimit {
		return 0
	}
	return most
}

func (sh *shard) addTo(st *store.Stats, name string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, svc := range sh.numbered {
		if name != "" && svc.name != name {
			continue
		}
		st.Claimed += svc.count[store.Claimed]
		st.Started += svc.count[store.Started]
		st.Done += svc.count[store.Done]
		st.Bytes += svc.bytes
		st.Watermark = max(st.Watermark, svc.watermark)
	}
	for _, o := range sh.open {
		if !o.record.Unknown(st.Now) || name != "" && o.record.Service != name {
			continue
		}
		st.Started--
		st.Unknown++
		if st.OldestUnknown == 0 || o.record.Lease < st.OldestUnknown {
			st.OldestUnknown = o.record.Lease
		}
	}
}
