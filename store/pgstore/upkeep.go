package pgstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
)

// batch is how many records one transaction of a Purge removes.
const batch = 1000

// Seal implements [store.Upkeep]. It waits for the steps of the service that are under way, some milliseconds; those that come later see the
// new watermark.
func (s *Store) Seal(ctx context.Context, service string, until store.Time) (store.Time, error) {
	if err := store.ValidateSeal(service, until); err != nil {
		return 0, err
	}
	if err := s.over(ctx); err != nil {
		return 0, err
	}
	var inForce int64
	err := s.transact(ctx, func(b *pgx.Batch) {
		b.Queue(lockOne, lockService, serviceLock(service))
		b.Queue(s.sql.seal, []byte(service), int64(until)).QueryRow(func(r pgx.Row) error { return r.Scan(&inForce) })
	})
	if err != nil {
		return 0, failed("seal", err)
	}
	return store.Time(inForce), nil
}

// Purge implements [store.Upkeep], in transactions of a thousand records. Several maintainers at once take different records. If ctx ends,
// what was removed so far stays removed, and the result counts it.
func (s *Store) Purge(ctx context.Context, q store.PurgeRequest) (store.PurgeResult, error) {
	if err := q.Validate(); err != nil {
		return store.PurgeResult{}, err
	}
	if err := s.over(ctx); err != nil {
		return store.PurgeResult{}, err
	}
	var now int64
	if err := s.pool.QueryRow(ctx, s.sql.clock, s.last.Load()).Scan(&now); err != nil {
		return store.PurgeResult{}, failed("purge", err)
	}
	res := store.PurgeResult{Now: store.Time(now)}
	s.see(res.Now)
	if off := res.Now.Sub(q.Expect); q.Expect != 0 && off.Abs() > q.Tolerance {
		return res, store.ErrClock
	}
	for full := true; full && res.Removed < q.Limit; {
		limit := min(batch, q.Limit-res.Removed)
		n, err := s.purgeSome(ctx, res.Now, limit)
		if err != nil {
			return res, failed("purge", err)
		}
		res.Removed += n
		full = n == limit
	}
	if res.Removed == q.Limit {
		if err := s.pool.QueryRow(ctx, s.sql.more, now).Scan(&res.More); err != nil {
			return res, failed("purge", err)
		}
	}
	return res, s.forget(ctx, res.Now)
}

// leaving is what a purge removes of one service.
type leaving struct {
	service string
	newest  store.Time // stamp
	count   int
}

// purgeSome removes records and raises the watermarks of their services, in one transaction: others see both or neither.
func (s *Store) purgeSome(ctx context.Context, now store.Time, limit int) (n int, err error) {
	err = s.with(ctx, func(conn *pgxpool.Conn) error {
		var all []leaving
		err := flight(ctx, conn, func(b *pgx.Batch) {
			b.Queue(begin)
			b.Queue(holdBriefly, s.config.stall)
			b.Queue(s.sql.purge, int64(now), int64(limit)).Query(func(rows pgx.Rows) (err error) {
				all, err = pgx.CollectRows(rows, scanLeaving)
				return err
			})
		})
		if err != nil {
			return err
		}
		// The exclusive lock, for which the service's steps wait, is held through this flight only; and in one order, so that two maintainers
		// do not wait for each other.
		slices.SortFunc(all, func(a, b leaving) int { return cmp.Compare(serviceLock(a.service), serviceLock(b.service)) })
		return flight(ctx, conn, func(b *pgx.Batch) {
			for _, l := range all {
				n += l.count
				if l.newest != 0 {
					b.Queue(lockOne, lockService, serviceLock(l.service))
					b.Queue(s.sql.seal, []byte(l.service), int64(l.newest))
				}
			}
			b.Queue(commit)
		})
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func scanLeaving(row pgx.CollectableRow) (l leaving, err error) {
	var service []byte
	var newest, count int64
	err = row.Scan(&service, &newest, &count)
	return leaving{string(service), store.Time(newest), int(count)}, err
}

// forget removes marks that are over.
func (s *Store) forget(ctx context.Context, now store.Time) error {
	for n := int64(batch); n == batch; {
		tag, err := s.pool.Exec(ctx, s.sql.forget, int64(now), batch)
		if err != nil {
			return failed("purge", err)
		}
		n = tag.RowsAffected()
	}
	return nil
}
