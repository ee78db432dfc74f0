package pgstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/onceward/onceward/store"
)

// Trail implements [store.Desk]. A cursor is the number of the last entry. Numbers are committed in their order, so a reader
// that comes back with its cursor misses nothing.
func (s *Store) Trail(ctx context.Context, q store.TrailRequest) (store.TrailPage, error) {
	if err := q.Validate(); err != nil {
		return store.TrailPage{}, err
	}
	var after int64
	if q.Cursor != "" {
		var err error
		if after, err = strconv.ParseInt(q.Cursor, 10, 64); err != nil {
			return store.TrailPage{}, fmt.Errorf("%w: Cursor is not one of this trail's: begin with an empty one", store.ErrInvalid)
		}
	}
	if err := s.over(ctx); err != nil {
		return store.TrailPage{}, err
	}
	sql, args := s.sql.trail, []any{after, int64(q.Limit) + 1}
	if q.ID != (store.ID{}) {
		sql, args = s.sql.trailOf, append(args, q.ID[:])
	}
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return store.TrailPage{}, failed("trail", err)
	}
	defer rows.Close()
	var page store.TrailPage
	for last := after; rows.Next(); {
		if len(page.Entries) == q.Limit {
			page.Next = strconv.FormatInt(last, 10)
			break
		}
		var e store.Entry
		if last, e, err = scanEntry(rows); err != nil {
			return store.TrailPage{}, failed("trail", err)
		}
		page.Entries = append(page.Entries, e)
	}
	rows.Close()
	return page, failed("trail", rows.Err())
}

func scanEntry(rows pgx.Rows) (n int64, e store.Entry, err error) {
	var at, version int64
	var stamp zeronull.Int8
	var action int16
	var id, service, principal, key, actor, reason []byte
	if err := rows.Scan(&n, &at, &version, &stamp, &action, &id, &service, &principal, &key, &actor, &reason); err != nil {
		return 0, e, err
	}
	e = store.Entry{At: store.Time(at), Action: store.Action(action), Version: uint64(version), Actor: string(actor), Reason: string(reason)}
	e.Who = store.Identity{Service: string(service), Principal: string(principal), Key: string(key), Stamp: store.Time(stamp)}
	copy(e.Who.ID[:], id)
	return n, e, nil
}
