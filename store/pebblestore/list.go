package pebblestore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// List implements [store.Desk]. A page shows one moment. Done records have no index and are not listed.
func (s *Store) List(ctx context.Context, q store.ListRequest) (store.Page, error) {
	if err := q.Validate(); err != nil {
		return store.Page{}, err
	}
	if err := s.enter(ctx); err != nil {
		return store.Page{}, err
	}
	defer s.life.RUnlock()
	if q.Class == store.ClassDone {
		return store.Page{}, fmt.Errorf("pebblestore: done records have no index: %w", store.ErrUnsupported)
	}
	after, err := parseCursor(q.Cursor, q.Class)
	if err != nil {
		return store.Page{}, err
	}
	if err := s.upkeep.share(ctx, s.closing); err != nil { // a bucket that is cut out is cut out of snapshots too
		return store.Page{}, err
	}
	defer s.upkeep.leave()
	snapshot := s.db.NewSnapshot()
	defer snapshot.Close()
	l := listing{ListRequest: q, store: s, snapshot: snapshot, page: store.Page{Now: s.clock.now()}}
	err = l.run(ctx, after)
	return l.page, err
}

type listing struct {
	store.ListRequest
	store    *Store
	snapshot *pebble.Snapshot
	page     store.Page
	last     []byte // the key of the last record of the page, without its tag
}

// run merges the indexes that hold the class: unknown records are the started ones up to now, open ones the started ones from then on and the claimed ones.
func (l *listing) run(ctx context.Context, after []byte) (err error) {
	defer readSafely(&err)
	now := appendTime(nil, l.page.Now+1)
	var its []*pebble.Iterator
	defer func() {
		for _, it := range its {
			if closed := it.Close(); err == nil && closed != nil {
				err = readFailed("list", closed)
			}
		}
	}()
	add := func(tag byte, from, to []byte) error {
		if string(after) > string(from) {
			from = append(append([]byte{}, after...), 0)
		}
		it, err := l.snapshot.NewIter(&pebble.IterOptions{LowerBound: append([]byte{tag}, from...), UpperBound: append([]byte{tag}, to...)})
		if err != nil {
			return readFailed("list", err)
		}
		its = append(its, it)
		it.First()
		return nil
	}
	end := []byte{0xff}
	if l.Class == store.ClassUnknown {
		err = add(tagStarted, nil, now)
	} else if err = add(tagClaimed, nil, end); err == nil {
		err = add(tagStarted, now, end)
	}
	if err != nil {
		return err
	}
	for {
		var first *pebble.Iterator
		for _, it := range its {
			if it.Valid() && (first == nil || string(it.Key()[1:]) < string(first.Key()[1:])) {
				first = it
			}
		}
		if first == nil {
			return nil
		}
		if err := ctx.Err(); err != nil { // a filter may leave out all of many
			return err
		}
		if full, err := l.visit(first); full || err != nil {
			return err
		}
		first.Next()
	}
}

// visit puts the record of an index entry on the page; it returns true if the page is full.
func (l *listing) visit(it *pebble.Iterator) (full bool, err error) {
	_, number, id, ok := parseIndexKey(it.Key())
	svc := l.store.numbered(number)
	if !ok || svc == nil {
		return false, fmt.Errorf("%w: an entry of the index of open records", ErrCorrupt)
	}
	if l.Service != "" && svc.name != l.Service {
		return false, nil
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return false, readFailed("list", err)
	}
	e, err := parseOpenEntry(value)
	if err != nil {
		return false, err
	}
	stored, closer, err := l.snapshot.Get(recordKey(nil, number, e.place, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, fmt.Errorf("%w: record %v is in the index of open records only", ErrCorrupt, id)
	}
	if err != nil {
		return false, readFailed("list", err)
	}
	defer closer.Close()
	r, _, err := decode(store.Identity{ID: id}, stored)
	if err != nil {
		return false, err
	}
	if l.Principal != "" && r.Principal != l.Principal || l.Before != 0 && r.FirstSeen >= l.Before {
		return false, nil
	}
	if len(l.page.Records) == l.Limit {
		l.page.Next = cursor(l.Class, l.last)
		return true, nil
	}
	r.Reply = nil
	l.page.Records = append(l.page.Records, r)
	l.last = append(l.last[:0], it.Key()[1:]...)
	return false, nil
}

// cursor names the place behind which the next page begins; it depends on nothing that changes in between.
func cursor(c store.Class, place []byte) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{byte(c)}, place...))
}

func parseCursor(s string, c store.Class) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != indexSize || store.Class(b[0]) != c {
		return nil, fmt.Errorf("%w: Cursor is not one of this listing's: begin with an empty one", store.ErrInvalid)
	}
	return b[1:], nil
}
