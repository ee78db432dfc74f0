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
	return purge(ctx, s, q)
}

// purging is a way to the database for a purge: by pgx, or by database/sql.
type purging interface {
	clock(ctx context.Context) (store.Time, error)
	unchanged(ctx context.Context) error // [ErrSchema] if the table has been laid out anew

	// purgeSome removes records and raises the watermarks of their services, in one transaction: others see both or neither.
	purgeSome(ctx context.Context, now store.Time, limit int) (int, error)

	more(ctx context.Context, now store.Time) (bool, error)                           // is there a record to remove?
	forgetSome(ctx context.Context, now store.Time, limit int64) (n int64, err error) // removes marks that are over

	ahead(ctx context.Context, now store.Time) error // [ErrPartition] if nobody makes partitions
}

func purge(ctx context.Context, way purging, q store.PurgeRequest) (res store.PurgeResult, err error) {
	if res.Now, err = way.clock(ctx); err != nil {
		return store.PurgeResult{}, failed("purge", err)
	}
	if off := res.Now.Sub(q.Expect); q.Expect != 0 && off.Abs() > q.Tolerance {
		return res, store.ErrClock
	}
	if err = way.unchanged(ctx); err != nil {
		return res, failed("purge", err)
	}
	for full := true; full && res.Removed < q.Limit; {
		limit := min(batch, q.Limit-res.Removed)
		n, err := way.purgeSome(ctx, res.Now, limit)
		if err != nil {
			return res, failed("purge", err)
		}
		res.Removed += n
		full = n == limit
	}
	if res.Removed == q.Limit {
		if res.More, err = way.more(ctx, res.Now); err != nil {
			return res, failed("purge", err)
		}
	}
	for n := int64(batch); n == batch; {
		if n, err = way.forgetSome(ctx, res.Now, batch); err != nil {
			return res, failed("purge", err)
		}
	}
	if !res.More {
		err = failed("purge", way.ahead(ctx, res.Now))
	}
	return res, err
}

func (s *Store) clock(ctx context.Context) (now store.Time, err error) {
	err = s.pool.QueryRow(ctx, s.sql.clock, int64(s.last.Newest())).Scan(&now)
	s.last.See(now)
	return now, err
}

func (s *Store) unchanged(ctx context.Context) error { return s.sql.unchanged(ctx, s.pool) }

func (s *Store) more(ctx context.Context, now store.Time) (more bool, err error) {
	err = s.pool.QueryRow(ctx, s.sql.more, int64(now)).Scan(&more)
	return more, err
}

func (s *Store) forgetSome(ctx context.Context, now store.Time, limit int64) (int64, error) {
	tag, err := s.pool.Exec(ctx, s.sql.forget, int64(now), limit)
	return tag.RowsAffected(), err
}

func (s *Store) ahead(ctx context.Context, now store.Time) error {
	if !s.sql.partitioned || s.tended {
		return nil
	}
	return s.sql.madeAhead(ctx, s.pool, now, s.forHowLong())
}

// leaving is what a purge removes of one service.
type leaving struct {
	service string
	newest  store.Time // stamp
	count   int
}

func (s *Store) purgeSome(ctx context.Context, now store.Time, limit int) (n int, err error) {
	err = s.with(ctx, func(conn *pgxpool.Conn) error {
		var all []leaving
		err := flight(ctx, conn, func(b *pgx.Batch) {
			b.Queue(begin)
			b.Queue(holdBriefly, s.config.stall)
			b.Queue(s.sql.purge, int64(now), int64(limit)).Query(func(rows pgx.Rows) (err error) {
				all, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (leaving, error) { return scanLeaving(r) })
				return err
			})
		})
		if err != nil {
			return err
		}
		return flight(ctx, conn, func(b *pgx.Batch) {
			for _, l := range inLockOrder(all) {
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

// inLockOrder is for the exclusive locks, for which the services' steps wait: they are held through one flight only, and taken in one order, so that two
// maintainers do not wait for each other.
func inLockOrder(all []leaving) []leaving {
	slices.SortFunc(all, func(a, b leaving) int { return cmp.Compare(serviceLock(a.service), serviceLock(b.service)) })
	return all
}

func scanLeaving(row pgx.Row) (l leaving, err error) {
	var service []byte
	var newest, count int64
	err = row.Scan(&service, &newest, &count)
	return leaving{string(service), store.Time(newest), int(count)}, err
}
