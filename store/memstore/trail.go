package memstore

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/onceward/onceward/store"
)

// trail is the audit trail: a ring of the newest entries, numbered from zero since the store began.
type trail struct {
	mu      sync.Mutex
	size    int
	ring    []store.Entry // entry n stands at n % size
	written uint64
}

// append is called under the lock of the record's shard: whoever then reads the record sees what the entry says.
func (t *trail) append(e store.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) < t.size {
		t.ring = append(t.ring, e)
	} else {
		t.ring[t.written%uint64(t.size)] = e
	}
	t.written++
}

func (t *trail) free() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring, t.written = nil, 0
}

// Trail implements [store.Desk]. Entries that gave way to newer ones are left out without a sign.
func (s *Store) Trail(ctx context.Context, q store.TrailRequest) (store.TrailPage, error) {
	if err := q.Validate(); err != nil {
		return store.TrailPage{}, err
	}
	var from uint64
	if q.Cursor != "" {
		var err error
		if from, err = strconv.ParseUint(q.Cursor, 10, 64); err != nil {
			return store.TrailPage{}, fmt.Errorf("%w: Cursor is not one of this trail's: begin with an empty one", store.ErrInvalid)
		}
	}
	if err := s.over(ctx); err != nil {
		return store.TrailPage{}, err
	}
	return s.trail.read(q.ID, from, q.Limit), nil
}

func (t *trail) read(id store.ID, from uint64, limit int) store.TrailPage {
	t.mu.Lock()
	defer t.mu.Unlock()
	var page store.TrailPage
	for n := max(from, t.written-uint64(len(t.ring))); n < t.written; n++ {
		e := t.ring[n%uint64(t.size)]
		if id != (store.ID{}) && e.Who.ID != id {
			continue
		}
		if len(page.Entries) == limit {
			page.Next = strconv.FormatUint(n, 10)
			break
		}
		page.Entries = append(page.Entries, e)
	}
	return page
}
