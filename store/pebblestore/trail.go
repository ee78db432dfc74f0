package pebblestore

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/onceward/onceward/store"
)

// Trail implements [store.Desk].
func (s *Store) Trail(ctx context.Context, q store.TrailRequest) (page store.TrailPage, err error) {
	if err := q.Validate(); err != nil {
		return page, err
	}
	var from uint64
	if q.Cursor != "" {
		if from, err = strconv.ParseUint(q.Cursor, 10, 64); err != nil {
			return page, fmt.Errorf("%w: Cursor is not one of this trail's: begin with an empty one", store.ErrInvalid)
		}
	}
	if err := s.enter(ctx); err != nil {
		return page, err
	}
	defer s.life.RUnlock()
	s.trail.Lock() // an entry that is not durable yet is not shown
	end := s.entries
	s.trail.Unlock()
	s.config.reach("trail")
	err = s.scanRange(trailKey(from), trailKey(max(from, end)), func(key, value []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := decodeEntry(value)
		if err != nil {
			return err
		}
		if q.ID != (store.ID{}) && e.Who.ID != q.ID {
			return nil
		}
		if len(page.Entries) == q.Limit {
			page.Next = strconv.FormatUint(binary.BigEndian.Uint64(key[1:]), 10)
			return errEnough
		}
		page.Entries = append(page.Entries, e)
		return nil
	})
	return page, err
}

const entryVersion = 1

func encodeEntry(e store.Entry) []byte {
	b := append([]byte{entryVersion, byte(e.Action)}, e.Who.ID[:]...)
	b = binary.AppendVarint(b, int64(e.At))
	b = binary.AppendUvarint(b, e.Version)
	b = binary.AppendVarint(b, int64(e.Who.Stamp))
	for _, s := range [...]string{e.Who.Service, e.Who.Principal, e.Who.Key, e.Actor, e.Reason} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

func decodeEntry(b []byte) (e store.Entry, err error) {
	bad := fmt.Errorf("%w: an entry of the trail", ErrCorrupt)
	if len(b) < 2+idSize || b[0] != entryVersion {
		return e, bad
	}
	e.Action, e.Who.ID, b = store.Action(b[1]), store.ID(b[2:]), b[2+idSize:]
	var n [3]int
	var at, stamp int64
	at, n[0] = binary.Varint(b)
	if n[0] <= 0 {
		return e, bad
	}
	e.Version, n[1] = binary.Uvarint(b[n[0]:])
	if n[1] <= 0 {
		return e, bad
	}
	if stamp, n[2] = binary.Varint(b[n[0]+n[1]:]); n[2] <= 0 {
		return e, bad
	}
	e.At, e.Who.Stamp, b = store.Time(at), store.Time(stamp), b[n[0]+n[1]+n[2]:]
	for _, s := range [...]*string{&e.Who.Service, &e.Who.Principal, &e.Who.Key, &e.Actor, &e.Reason} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return e, bad
		}
		*s, b = string(b[n:n+int(size)]), b[n+int(size):]
	}
	if len(b) != 0 {
		return e, bad
	}
	return e, nil
}
