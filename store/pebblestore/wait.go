package pebblestore

import (
	"context"
	"sync"

	"github.com/onceward/onceward/store"
)

// waiters are the callers who wait for a record to change.
type waiters struct {
	mu  sync.Mutex
	all map[store.ID]*waiting
}

// waiting is everybody who waits for one record.
type waiting struct {
	changed chan struct{} // closed by the next change
	callers int
}

// Wait implements [store.Protocol].
func (s *Store) Wait(ctx context.Context, who store.Identity, version uint64) error {
	if err := who.Validate(); err != nil {
		return err
	}
	var h held
	if _, err := s.open(ctx, &h, &who, store.Token{}, false); err != nil {
		return err
	}
	if h.record.State == store.Absent || h.record.Version != version {
		h.close()
		return nil
	}
	w := s.waiters.join(who.ID)
	h.close()
	defer s.waiters.leave(who.ID, w)
	select {
	case <-w.changed:
		return nil
	case <-s.closing:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (ws *waiters) join(id store.ID) *waiting {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.all[id]
	if w == nil {
		w = &waiting{changed: make(chan struct{})}
		ws.all[id] = w
	}
	w.callers++
	return w
}

func (ws *waiters) leave(id store.ID, w *waiting) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w.callers--
	if w.callers == 0 && ws.all[id] == w {
		delete(ws.all, id)
	}
}

// wake tells whoever waits for the record that it has changed. The record is locked.
func (s *Store) wake(id store.ID) {
	ws := &s.waiters
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w := ws.all[id]; w != nil {
		delete(ws.all, id)
		close(w.changed)
	}
}
