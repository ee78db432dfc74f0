package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// place is where a record stands in a listing: by lease, then by id.
type place struct {
	at store.Time
	id store.ID
}

func placeOf(r store.Record) place { return place{r.Lease, r.ID} }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.at, q.at), bytes.Compare(p.id[:], q.id[:]))
}

const cursorSize = 1 + 8 + 32

func (p place) cursor(c store.Class) string {
	b := binary.BigEndian.AppendUint64([]byte{byte(c)}, uint64(p.at))
	return base64.RawURLEncoding.EncodeToString(append(b, p.id[:]...))
}

func parseCursor(s string, c store.Class) (p place, err error) {
	if s == "" {
		return p, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != cursorSize || store.Class(b[0]) != c {
		return p, fmt.Errorf("%w: Cursor is not one of this listing's: begin with an empty one", store.ErrInvalid)
	}
	return place{store.Time(binary.BigEndian.Uint64(b[1:])), store.ID(b[9:])}, nil
}

// List implements [store.Desk]. Each shard goes through its index; pages of theirs are merged until one is full.
func (s *Store) List(ctx context.Context, q store.ListRequest) (store.Page, error) {
	if err := q.Validate(); err != nil {
		return store.Page{}, err
	}
	if err := s.ready(ctx); err != nil {
		return store.Page{}, failed("list", err)
	}
	if q.Class == store.ClassDone {
		return store.Page{}, fmt.Errorf("redisstore: done records are not listed: %w", store.ErrUnsupported)
	}
	after, err := parseCursor(q.Cursor, q.Class)
	if err != nil {
		return store.Page{}, err
	}
	var page store.Page
	for more := true; more; {
		var raw []store.Record
		if raw, more, page.Now, err = s.rawPage(ctx, q, after); err != nil {
			return store.Page{}, err
		}
		for _, r := range raw {
			if q.Service != "" && r.Service != q.Service || q.Principal != "" && r.Principal != q.Principal || q.Before != 0 && r.FirstSeen >= q.Before {
				continue
			}
			if len(page.Records) == q.Limit {
				page.Next = placeOf(page.Records[q.Limit-1]).cursor(q.Class)
				return page, nil
			}
			page.Records = append(page.Records, r)
		}
		if len(raw) > 0 {
			after = placeOf(raw[len(raw)-1])
		}
	}
	return page, nil
}

// part is what one shard has of a page.
type part struct {
	records []store.Record
	end     place // behind it there may be more, if
	cut     bool
}

func (s *Store) listArgs(shard int, c store.Class, after place, limit int) []string {
	b := append48(append(s.begin(nil, shard), byte(c)), after.at)
	b = binary.BigEndian.AppendUint32(b, uint32(limit)) //nolint:gosec // at most MaxPage
	return []string{rueidis.BinaryString(b), string(after.id[:])}
}

// decodePart reads a shard's answer: a page of each of two indexes, each in order.
func decodePart(reply []rueidis.RedisMessage, limit int) (p part, err error) {
	last, n := map[store.State]place{}, map[store.State]int{}
	for _, m := range reply[1:] {
		b, err := m.AsBytes()
		if err != nil || len(b) < 32 {
			return p, cmp.Or(err, errApart)
		}
		r, err := decode(b[32:], store.Identity{ID: store.ID(b)})
		if err != nil {
			return p, err
		}
		p.records = append(p.records, r)
		last[r.State] = placeOf(r)
		n[r.State]++
	}
	for state, n := range n {
		if n == limit && (!p.cut || last[state].compare(p.end) < 0) {
			p.end, p.cut = last[state], true
		}
	}
	return p, nil
}

// rawPage reads the records of a class behind a place, as many as can be put in order: to where the first shard's page ends that has more. A shard is asked for about twice its share.
func (s *Store) rawPage(ctx context.Context, q store.ListRequest, after place) (all []store.Record, more bool, now store.Time, err error) {
	limit := min(q.Limit, 2*q.Limit/len(s.tags)+16)
	var bound place
	args := func(shard int) []string { return s.listArgs(shard, q.Class, after, limit) }
	err = s.each(ctx, "list", s.scripts.list, args, func(_ int, reply []rueidis.RedisMessage) error {
		at, _ := reply[0].AsBytes()
		now = max(now, read48(at))
		p, err := decodePart(reply, limit)
		if p.cut && (!more || p.end.compare(bound) < 0) {
			bound, more = p.end, true
		}
		all = append(all, p.records...)
		return err
	})
	if err != nil {
		return nil, false, 0, err
	}
	slices.SortFunc(all, func(a, b store.Record) int { return placeOf(a).compare(placeOf(b)) })
	if more {
		all = slices.DeleteFunc(all, func(r store.Record) bool { return placeOf(r).compare(bound) > 0 })
	}
	return all, more, now, nil
}
