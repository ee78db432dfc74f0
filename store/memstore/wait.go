package memstore

import (
	"context"

	"github.com/onceward/onceward/store"
)

// waiting is everybody who waits for one record.
type waiting struct {
	changed chan struct{} // closed by the next change
	callers int
}

// Wait implements [store.Protocol]. It costs one channel per record waited for, and nothing once nobody waits.
func (s *Store) Wait(ctx context.Context, who store.Identity, version uint64) error {
	if err := who.Validate(); err != nil {
		return err
	}
	sh, hash, err := s.enter(ctx, who.ID)
	if err != nil {
		return err
	}
	var h held
	err = h.load(sh, hash, &who)
	if err != nil || h.record.State == store.Absent || h.record.Version != version {
		sh.mu.Unlock()
		return err
	}
	w := sh.join(who.ID)
	sh.mu.Unlock()
	defer sh.leave(who.ID, w)

	select {
	case <-w.changed:
		return nil
	case <-s.closing:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (sh *shard) join(id store.ID) *waiting {
	w := sh.waits[id]
	if w == nil {
		w = &waiting{changed: make(chan struct{})}
		sh.waits[id] = w
	}
	w.callers++
	return w
}

func (sh *shard) leave(id store.ID, w *waiting) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	w.callers--
	if w.callers == 0 && sh.waits[id] == w {
		delete(sh.waits, id)
	}
}

// wake tells whoever waits for the record that it has changed. The shard is locked.
func (sh *shard) wake(id store.ID) {
	if w := sh.waits[id]; w != nil {
		delete(sh.waits, id)
		close(w.changed)
	}
}
