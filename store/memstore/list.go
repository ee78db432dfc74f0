package memstore

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/onceward/onceward/store"
)

// place is where a record stands in a listing: by time, then by id.
type place struct {
	at store.Time
	id store.ID
}

func (p place) compare(q place) int {
	if c := cmp.Compare(p.at, q.at); c != 0 {
		return c
	}
	return slices.Compare(p.id[:], q.id[:])
}

// listing gathers one page: the first records after a place, of all shards.
type listing struct {
	store.ListRequest
	after place // of the last page's last record; zero: from the start
	now   store.Time
	found []placed
	last  place // once found is full: what stands at or behind it is not needed
	full  bool
}

type placed struct {
	place
	record store.Record
}

// List implements [store.Desk]. A page visits all open records, or the purge times of all done ones; it decodes
// done records only where they may belong to the page.
func (s *Store) List(ctx context.Context, q store.ListRequest) (store.Page, error) {
	if err := q.Validate(); err != nil {
		return store.Page{}, err
	}
	l := listing{ListRequest: q}
	if q.Cursor != "" {
		var err error
		if l.after, err = parseCursor(q.Cursor, q.Class); err != nil {
			return store.Page{}, err
		}
	}
	if err := s.over(ctx); err != nil {
		return store.Page{}, err
	}
	l.now = s.clock.now()
	for i := range s.shards {
		if err := l.visit(&s.shards[i]); err != nil {
			return store.Page{}, err
		}
	}
	return l.page(), nil
}

func (l *listing) visit(sh *shard) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return store.ErrClosed
	}
	if l.Class != store.ClassDone {
		for id, o := range sh.open {
			if p := (place{o.record.Lease, id}); store.ClassOf(o.record, l.now) == l.Class && l.wants(p) {
				l.add(p, o.record)
			}
		}
		return nil
	}
	for _, d := range sh.done.due {
		if d.at < l.after.at || l.full && d.at > l.last.at {
			continue
		}
		e := sh.done.at(d.what)
		name := sh.numbered[e.service].name
		p := place{d.at, e.id}
		if l.Service != "" && name != l.Service || !l.wants(p) {
			continue
		}
		r, err := e.decode(name, store.Identity{})
		if err != nil {
			return err
		}
		r.Reply = nil
		l.add(p, r)
	}
	return nil
}

func (l *listing) wants(p place) bool {
	return p.compare(l.after) > 0 && (!l.full || p.compare(l.last) < 0)
}

func (l *listing) add(p place, r store.Record) {
	if l.Service != "" && r.Service != l.Service || l.Principal != "" && r.Principal != l.Principal ||
		l.Before != 0 && r.FirstSeen >= l.Before {
		return
	}
	l.found = append(l.found, placed{p, r})
	if len(l.found) >= 4*(l.Limit+1) { // seldom enough that sorting costs little
		l.trim()
	}
}

// trim keeps one record more than the page holds: it tells that there is a next page.
func (l *listing) trim() {
	slices.SortFunc(l.found, func(a, b placed) int { return a.compare(b.place) })
	if len(l.found) <= l.Limit {
		return
	}
	clear(l.found[l.Limit+1:])
	l.found = l.found[:l.Limit+1]
	l.full, l.last = true, l.found[l.Limit].place
}

func (l *listing) page() store.Page {
	l.trim()
	page := store.Page{Now: l.now}
	if len(l.found) > l.Limit {
		l.found = l.found[:l.Limit]
		page.Next = cursor(l.Class, l.found[l.Limit-1].place)
	}
	for _, f := range l.found {
		page.Records = append(page.Records, f.record)
	}
	return page
}

const cursorSize = 1 + 8 + 32

// cursor names the place behind which the next page begins; it depends on nothing that changes in between.
func cursor(c store.Class, p place) string {
	b := append(make([]byte, 0, cursorSize), byte(c))
	b = binary.BigEndian.AppendUint64(b, uint64(p.at))
	return base64.RawURLEncoding.EncodeToString(append(b, p.id[:]...))
}

func parseCursor(s string, c store.Class) (place, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != cursorSize || store.Class(b[0]) != c {
		return place{}, fmt.Errorf("%w: Cursor is not one of this listing's: begin with an empty one", store.ErrInvalid)
	}
	return place{store.Time(binary.BigEndian.Uint64(b[1:])), store.ID(b[9:])}, nil
}
