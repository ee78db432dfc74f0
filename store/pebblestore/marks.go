package pebblestore

import (
	"context"
	"errors"
	"hash/maphash"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// mark reads until when a released token is dead; zero: it is not.
func (s *Store) mark(id store.ID, t store.Token) (store.Time, error) {
	value, closer, err := s.db.Get(markKey(id, t))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, failed("read", err)
	}
	defer closer.Close()
	if len(value) != 8 {
		return 0, failed("read", ErrCorrupt)
	}
	return timeAt(value), nil
}

// append commits a step: its change, its mark and its entry in the trail. The record is locked.
func (s *Store) append(step *store.Step, id store.ID, t store.Token, fill func(*pebble.Batch) error) error {
	if step.Entry != nil { // entries become visible in the order of their numbers: a reader's cursor passes over none
		s.trail.Lock()
		defer s.trail.Unlock()
	}
	var had store.Time
	var err error
	if step.Mark != 0 {
		if had, err = s.mark(id, t); err != nil {
			return err
		}
	}
	err = s.commit(func(b *pebble.Batch) error {
		var all firstError
		all.add(fill(b))
		if step.Mark > had {
			all.add(b.Set(markKey(id, t), appendTime(nil, step.Mark), nil))
		}
		if step.Entry != nil {
			all.add(b.Set(trailKey(s.entries), encodeEntry(*step.Entry), nil))
		}
		return all.err
	}, s.sync)
	if err != nil {
		return err
	}
	if step.Mark != 0 && had == 0 {
		s.marks.Add(1)
	}
	if step.Entry != nil {
		s.entries++
	}
	return nil
}

// forget removes marks that are over. That need not be synced: a mark that comes back is found to be over.
func (s *Store) forget(ctx context.Context, now store.Time) error {
	if s.marks.Load() == 0 {
		return nil
	}
	var over [][]byte
	err := s.scan([]byte{tagMark}, func(key, value []byte) error {
		if len(key) == 1+idSize+len(store.Token{}) && len(value) == 8 && timeAt(value) < now {
			over = append(over, append([]byte{}, key...))
		}
		return nil
	})
	for _, key := range over {
		if err == nil {
			err = s.passAnyway(ctx)
		}
		if err == nil {
			err = s.forgetMark(key, now)
		}
	}
	return err
}

func (s *Store) forgetMark(key []byte, now store.Time) error {
	id, token := store.ID(key[1:]), store.Token(key[1+idSize:])
	stripe := &s.stripes[maphash.Bytes(s.seed, id[:])%stripeCount]
	stripe.Lock()
	defer stripe.Unlock()
	until, err := s.mark(id, token) // it may have been prolonged
	if err != nil || until == 0 || until >= now {
		return err
	}
	err = s.commit(func(b *pebble.Batch) error { return b.Delete(key, nil) }, pebble.NoSync)
	if err == nil {
		s.marks.Add(-1)
	}
	return err
}

// scan visits all keys that begin with p, in order.
func (s *Store) scan(p []byte, visit func(key, value []byte) error) error {
	lower, upper := span(p)
	return s.scanRange(lower, upper, visit)
}

func (s *Store) scanRange(lower, upper []byte, visit func(key, value []byte) error) (err error) {
	defer readSafely(&err)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return readFailed("read", err)
	}
	defer func() {
		if closed := it.Close(); err == nil && closed != nil {
			err = readFailed("read", closed)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return readFailed("read", err)
		}
		err = visit(it.Key(), value)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var errEnough = errors.New("enough") // ends a scan
