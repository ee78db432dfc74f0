package redisstore

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// Trail implements [store.Desk]. Each shard keeps its part, in the order of its entries; a page merges them by the server's microseconds. A cursor
// is how many entries of each shard are behind it.
func (s *Store) Trail(ctx context.Context, q store.TrailRequest) (store.TrailPage, error) {
	if err := q.Validate(); err != nil {
		return store.TrailPage{}, err
	}
	if err := s.ready(ctx); err != nil {
		return store.TrailPage{}, failed("trail", err)
	}
	from, err := s.parseTrailCursor(q.Cursor)
	if err != nil {
		return store.TrailPage{}, err
	}
	if q.ID != (store.ID{}) {
		return s.trailOf(ctx, q, from)
	}
	var all []told
	err = s.each(ctx, "trail", s.scripts.trail, func(i int) []string { return s.trailArgs(i, from[i], q.Limit+1) }, func(i int, reply []rueidis.RedisMessage) error {
		entries, err := decodeEntries(i, reply[1:])
		all = append(all, entries...)
		return err
	})
	if err != nil {
		return store.TrailPage{}, err
	}
	slices.SortStableFunc(all, func(a, b told) int { return int(int64(a.order) - int64(b.order)) })
	var page store.TrailPage
	for _, t := range all {
		if len(page.Entries) == q.Limit {
			page.Next = trailCursor(from)
			break
		}
		page.Entries = append(page.Entries, t.Entry)
		from[t.shard]++
	}
	return page, nil
}

// trailOf reads the entries of one id, which stand in one shard.
func (s *Store) trailOf(ctx context.Context, q store.TrailRequest, from []uint64) (page store.TrailPage, err error) {
	shard := s.number(q.ID)
	for {
		reply, err := s.on(ctx, "trail", shard, s.scripts.trail, s.trailArgs(shard, from[shard], store.MaxPage)...)
		if err != nil {
			return store.TrailPage{}, err
		}
		entries, err := decodeEntries(shard, reply[1:])
		if err != nil {
			return store.TrailPage{}, err
		}
		for _, t := range entries {
			if t.Who.ID == q.ID {
				if len(page.Entries) == q.Limit {
					page.Next = trailCursor(from)
					return page, nil
				}
				page.Entries = append(page.Entries, t.Entry)
			}
			from[shard]++
		}
		if len(entries) < store.MaxPage {
			return page, nil
		}
	}
}

func (s *Store) trailArgs(shard int, from uint64, limit int) []string {
	b := append48(s.begin(nil, shard), store.Time(from))                                   //nolint:gosec // parseTrailCursor bounds it
	return []string{rueidis.BinaryString(binary.BigEndian.AppendUint32(b, uint32(limit)))} //nolint:gosec // at most MaxPage
}

// told is an entry with its place.
type told struct {
	store.Entry
	order uint64
	shard int
}

func decodeEntries(shard int, reply []rueidis.RedisMessage) ([]told, error) {
	all := make([]told, 0, len(reply))
	for _, m := range reply {
		b, err := m.AsBytes()
		if err != nil {
			return nil, err
		}
		t, ok := decodeEntry(b)
		if !ok {
			return nil, fmt.Errorf("redisstore: an entry of the trail: %w", store.ErrCorrupt)
		}
		t.shard = shard
		all = append(all, t)
	}
	return all, nil
}

func decodeEntry(b []byte) (t told, ok bool) {
	const fixed = 8 + 6 + 1 + 8 + 32
	if len(b) < fixed {
		return t, false
	}
	t.order, t.At, t.Action, t.Version = binary.BigEndian.Uint64(b), read48(b[8:]), store.Action(b[14]), binary.BigEndian.Uint64(b[15:])
	id := store.ID(b[23:])
	b = b[fixed:]
	for _, field := range []*string{&t.Actor, &t.Reason} {
		if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
			return t, false
		}
		n := 2 + int(binary.BigEndian.Uint16(b))
		*field, b = string(b[2:n]), b[n:]
	}
	t.Who, _, _, _, ok = decodeBody(b, store.Identity{ID: id})
	return t, ok
}

func trailCursor(from []uint64) string {
	var b []byte
	for _, n := range from {
		b = binary.AppendUvarint(b, n)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *Store) parseTrailCursor(cursor string) ([]uint64, error) {
	from := make([]uint64, len(s.tags))
	if cursor == "" {
		return from, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	for i := range from {
		n, size := binary.Uvarint(b)
		if err != nil || size <= 0 || n > uint64(latest) {
			return nil, fmt.Errorf("%w: Cursor is not one of this trail's: begin with an empty one", store.ErrInvalid)
		}
		from[i], b = n, b[size:]
	}
	return from, nil
}
