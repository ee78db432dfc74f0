package pgstore

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/onceward/onceward/store"
)

// List implements [store.Desk]. A page is one statement, which goes through an index in order.
func (s *Store) List(ctx context.Context, q store.ListRequest) (store.Page, error) {
	if err := q.Validate(); err != nil {
		return store.Page{}, err
	}
	after := place{}
	if q.Cursor != "" {
		var err error
		if after, err = parseCursor(q.Cursor, q.Class); err != nil {
			return store.Page{}, err
		}
	}
	if err := s.over(ctx); err != nil {
		return store.Page{}, err
	}
	sql := map[store.Class]string{store.ClassUnknown: s.sql.unknown, store.ClassOpen: s.sql.open, store.ClassDone: s.sql.done}[q.Class]
	rows, err := s.pool.Query(ctx, sql, int64(s.last.Newest()), int64(after.at), after.id[:],
		[]byte(q.Service), []byte(q.Principal), int64(q.Before), int64(q.Limit)+1)
	if err != nil {
		return store.Page{}, failed("list", err)
	}
	defer rows.Close()
	var page store.Page
	for rows.Next() {
		var r row
		var now int64
		if err := rows.Scan(append([]any{&now}, r.targets()...)...); err != nil {
			return store.Page{}, failed("list", err)
		}
		page.Now = store.Time(now)
		if record := r.record(); record.State != store.Absent { // the clock alone has a row without one
			page.Records = append(page.Records, record)
		}
	}
	if err := rows.Err(); err != nil {
		return store.Page{}, failed("list", err)
	}
	s.last.See(page.Now)
	if len(page.Records) > q.Limit {
		page.Records = page.Records[:q.Limit]
		page.Next = cursorAt(q.Class, page.Records[q.Limit-1])
	}
	return page, nil
}

// place is where a record stands in a listing: by time, then by id.
type place struct {
	at store.Time
	id store.ID
}

const cursorSize = 1 + 8 + 32

// cursorAt names the place behind which the next page begins; it depends on nothing that changes in between.
func cursorAt(c store.Class, r store.Record) string {
	at := r.Lease
	if r.State == store.Done {
		at = r.PurgeAt
	}
	b := append(make([]byte, 0, cursorSize), byte(c))
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	return base64.RawURLEncoding.EncodeToString(append(b, r.ID[:]...))
}

func parseCursor(s string, c store.Class) (place, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != cursorSize || store.Class(b[0]) != c {
		return place{}, fmt.Errorf("%w: Cursor is not one of this listing's: begin with an empty one", store.ErrInvalid)
	}
	return place{store.Time(binary.BigEndian.Uint64(b[1:])), store.ID(b[9:])}, nil
}
