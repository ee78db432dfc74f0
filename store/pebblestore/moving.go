package pebblestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// moveBatch is how many open records move while the service's steps wait: some milliseconds.
const moveBatch = 500

// leaver is an open record of a bucket that is over, as the index names it.
type leaver struct {
	id    store.ID
	place place
}

// move takes an open record from its bucket to the attic.
type move struct {
	id       store.ID
	bucket   *bucket
	from, to []byte
	record   []byte
	index    []byte // its key in the index of open records
	entry    openEntry
}

// moveOpen moves what is open in the service's buckets that are over to the attic, a batch at a time, so that steps go on between two. A move is one write with
// the others of its batch: a record is in one of both places, whatever crash comes. It need not be synced, as no answer depends on it: whoever
// syncs later, a step of the record or the removal of its bucket, has synced it before, for the log is one sequence.
//
// What has been found moves also if ctx has ended meanwhile: looking may take longer than a purge has, and each has to come nearer to the end.
func (s *Store) moveOpen(ctx context.Context, svc *service, now store.Time) error {
	if svc.openIn(now) == 0 {
		return nil
	}
	var batch []leaver
	err := s.leavers(svc, now, func(l leaver) error {
		if batch = append(batch, l); len(batch) < s.config.moves && ctx.Err() == nil {
			return nil
		}
		err := s.moveSome(ctx, svc, batch)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	s.config.reach("looked through")
	return s.moveSome(ctx, svc, batch)
}

// openIn counts what is open in the service's buckets that are over.
func (svc *service) openIn(now store.Time) (n int64) {
	for _, b := range svc.over(now) {
		n += b.open.Load()
	}
	return n
}

// leavers looks through the index of all open records, once for all buckets: there are few, and an old bucket seldom has one. It sees claimed and started ones at
// one moment, for one that starts meanwhile would be found as both, and counted twice.
func (s *Store) leavers(svc *service, now store.Time, visit func(leaver) error) error {
	live := svc.live.Load()
	return s.scanRange([]byte{tagClaimed}, []byte{tagStarted + 1}, func(key, value []byte) error {
		_, number, id, ok := parseIndexKey(key)
		e, err := parseOpenEntry(value)
		if !ok || err != nil {
			return fmt.Errorf("%w: an entry of the index of open records", ErrCorrupt)
		}
		if number != svc.number {
			return nil
		}
		if b := live.at(e.place, s.width); b == nil || b.deadline > now {
			return nil
		}
		return visit(leaver{id, e.place})
	})
}

func (s *Store) moveSome(ctx context.Context, svc *service, batch []leaver) error {
	if err := s.passAnyway(ctx); err != nil {
		return err
	}
	if err := s.moveUnderGate(svc, batch); err != nil {
		return err
	}
	s.config.reach("moved")
	return ctx.Err()
}

func (s *Store) moveUnderGate(svc *service, batch []leaver) error {
	svc.gate.Lock()
	defer svc.gate.Unlock()
	moving, err := s.moves(svc, batch)
	if err != nil {
		return err
	}
	s.config.reach("moving")
	err = s.commit(func(b *pebble.Batch) error {
		var all firstError
		for _, m := range moving {
			all.add(m.fill(b))
		}
		return all.err
	}, pebble.NoSync)
	if err != nil {
		return err
	}
	svc.moved(moving)
	return nil
}

// lastOpen are the moves of what a step that was under way has left behind; they go with the removal. The gate is closed: that is all there is.
func (s *Store) lastOpen(svc *service, now store.Time) ([]move, error) {
	want := svc.openIn(now)
	if want == 0 {
		return nil, nil
	}
	var batch []leaver
	if err := s.leavers(svc, now, func(l leaver) error { batch = append(batch, l); return nil }); err != nil {
		return nil, err
	}
	moving, err := s.moves(svc, batch)
	if err == nil && int64(len(moving)) != want {
		err = fmt.Errorf("%w: buckets should have %d open records, the index has %d", ErrCorrupt, want, len(moving))
	}
	return moving, err
}

// moves reads the records as they are now, under the closed gate. One that has ended since it was found has left already.
func (s *Store) moves(svc *service, batch []leaver) (moving []move, err error) {
	defer readSafely(&err)
	live := svc.live.Load()
	for _, l := range batch {
		m := move{id: l.id, bucket: live.at(l.place, s.width), from: recordKey(nil, svc.number, l.place, l.id), to: recordKey(nil, svc.number, place{kind: attic}, l.id)}
		value, closer, err := s.db.Get(m.from)
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, readFailed("purge", err)
		}
		m.record = append(m.record, value...)
		if err := closer.Close(); err != nil {
			return nil, readFailed("purge", err)
		}
		r, reserve, err := decode(store.Identity{ID: l.id}, m.record)
		if err != nil {
			return nil, err
		}
		if !r.Open() {
			continue
		}
		m.index = indexKey(nil, stateTag(r.State), r.Lease, svc.number, l.id)
		m.entry = openEntry{place{kind: attic}, cost(r, len(m.record), reserve), reserve}
		moving = append(moving, m)
	}
	return moving, nil
}

func (m *move) fill(b *pebble.Batch) error {
	var all firstError
	all.add(b.Set(m.to, m.record, nil))
	all.add(b.Set(m.index, m.entry.append(nil), nil))
	all.add(b.Delete(m.from, nil))
	return all.err
}

// moved notes the moves in memory. Stripes must forget what was moved: they know it by the buckets, which are new ones from now on.
func (svc *service) moved(moving []move) {
	svc.attic.Add(int64(len(moving)))
	for _, m := range moving {
		m.bucket.open.Add(-1)
	}
	live := *svc.live.Load()
	svc.live.Store(&live)
}
