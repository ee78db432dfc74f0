package pebblestore

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

const atticBatch = 1000 // records of the attic that leave in one write

// over is a done record of the attic whose time is over.
type over struct {
	due []byte // its key in the attic's index
	id  store.ID
	dueEntry
}

// purgeAttic removes at most limit records. Done records change no more, so they may be found before the gate is closed.
func (s *Store) purgeAttic(now store.Time, limit int) (int, error) {
	leaving := map[uint32][]over{}
	n := 0
	err := s.scanRange([]byte{tagDue}, appendTime([]byte{tagDue}, now+1), func(key, value []byte) error {
		_, number, id, ok := parseIndexKey(key)
		e, err := parseDueEntry(value)
		if !ok || err != nil || s.numbered(number) == nil {
			return fmt.Errorf("%w: an entry of the attic's index", ErrCorrupt)
		}
		leaving[number] = append(leaving[number], over{bytes.Clone(key), id, e})
		if n++; n == limit {
			return errEnough
		}
		return nil
	})
	removed := 0
	for number, all := range leaving {
		if err != nil {
			return removed, err
		}
		if err = s.leaveAttic(s.numbered(number), all); err == nil {
			removed += len(all)
		}
	}
	return removed, err
}

// leaveAttic removes the records and raises the watermark, in one write.
func (s *Store) leaveAttic(svc *service, all []over) error {
	svc.gate.Lock()
	defer svc.gate.Unlock()
	watermark, sum := svc.watermark, count{}
	err := s.commit(func(b *pebble.Batch) error {
		var w firstError
		for _, o := range all {
			watermark = max(watermark, o.stamp)
			sum.done, sum.bytes = sum.done+1, sum.bytes+o.cost
			w.add(b.Delete(recordKey(nil, svc.number, place{kind: attic}, o.id), nil))
			w.add(b.Delete(o.due, nil))
		}
		if watermark > svc.watermark {
			w.add(b.Set(prefix(tagWatermark, svc.number), appendTime(nil, watermark), nil))
		}
		w.add(b.Merge(bucketKey(tagCount, svc.number, attic, 0), count{-sum.done, -sum.bytes}.append(nil), nil))
		return w.err
	}, s.sync)
	if err != nil {
		return err
	}
	s.config.reach("left the attic")
	svc.watermark = watermark
	svc.attic.Add(-sum.done)
	svc.totals.done.Add(-sum.done)
	svc.totals.bytes.Add(-sum.bytes)
	s.room.give(-sum.done, -sum.bytes)
	return nil
}
