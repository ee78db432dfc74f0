package pgstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/onceward/onceward/store"
)

// moveBatch is how many rows move in one round trip, each in a transaction of its own.
const moveBatch = 100

// liveRows finds what must outlive its partition by the two indexes: it costs nothing that a million other rows are there.
const liveRows = `(SELECT bucket, id FROM {table} WHERE lease IS NOT NULL AND id <> ALL($3::bytea[]) LIMIT $2::bigint)
UNION ALL (SELECT bucket, id FROM {table} WHERE purge_at > $1::bigint AND id <> ALL($3::bytea[]) ORDER BY purge_at DESC LIMIT $2::bigint)`

// moveAttached moves by an update, under the lock of the row's id: nobody is between reading and writing it. Nothing else of the row changes. A row that is as no state
// allows, put in by hand, cannot be updated: it moves when the partition is detached, with the others that are left.
func (r *removal) moveAttached(ctx context.Context) error {
	left, err := r.move(ctx, "UPDATE {schema}.records SET bucket = 0 WHERE bucket = $1::bigint AND id = $2::bytea AND (lease IS NOT NULL OR purge_at > $3::bigint)")
	if err == nil && len(left) > 0 {
		r.m.alarm(ctx, fmt.Errorf("pgstore: %d rows of %s are as no state allows, and stay so: look at the record %x", len(left), r.table, left[0]))
	}
	return err
}

// moveDetached is for rows that were written after the others had moved, and for a maintainer that finds what another has left. An insert looks at no state.
func (r *removal) moveDetached(ctx context.Context) error {
	var columns string
	if err := r.conn.QueryRow(ctx, `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'bucket'`, r.table).Scan(&columns); err != nil {
		return err
	}
	left, err := r.move(ctx, strings.ReplaceAll(`WITH gone AS (
	DELETE FROM {table} WHERE bucket = $1::bigint AND id = $2::bytea AND (lease IS NOT NULL OR purge_at > $3::bigint) RETURNING *
) INSERT INTO {schema}.records (bucket, {row}) SELECT 0, {row} FROM gone`, "{row}", columns))
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%d rows do not move, one is %x", len(left), left[0])
	}
	return err
}

// liveRow is a row that must move.
type liveRow struct {
	bucket int64
	id     []byte
}

// move moves all live rows, and answers the ids of those that it cannot.
func (r *removal) move(ctx context.Context, one string) (left [][]byte, err error) {
	fill := strings.NewReplacer("{table}", r.table, "{schema}", r.c.Schema).Replace
	left = [][]byte{} // as an array, not NULL
	for size := moveBatch; ; {
		if err := r.keepAhead(ctx); err != nil {
			return nil, err
		}
		rows, err := r.conn.Query(ctx, fill(liveRows), int64(r.now), size, left)
		if err != nil {
			return nil, err
		}
		live, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p liveRow, err error) {
			err = row.Scan(&p.bucket, &p.id)
			return p, err
		})
		if err != nil || len(live) == 0 {
			return left, err
		}
		live = live[:min(len(live), size)]
		moved, err := r.moveSome(ctx, fill(one), live)
		r.moved += moved
		switch {
		case isCode(err, checkViolation) && size > 1:
			size = 1 // to find out which
		case err == nil && moved == 0 || isCode(err, checkViolation):
			for _, p := range live {
				left = append(left, p.id)
			}
		case err != nil:
			return nil, err
		}
	}
}

func (r *removal) moveSome(ctx context.Context, one string, live []liveRow) (moved int, err error) {
	var b pgx.Batch
	for _, p := range live {
		var id store.ID
		copy(id[:], p.id) // which is as long, unless it was put in by hand
		b.Queue(begin)
		b.Queue("SELECT pg_advisory_xact_lock($1::bigint)", idLock(id))
		b.Queue(one, p.bucket, p.id, int64(r.now)).Exec(func(tag pgconn.CommandTag) error {
			moved += int(tag.RowsAffected())
			return nil
		})
		b.Queue(commit)
	}
	if err := r.conn.SendBatch(ctx, &b).Close(); err != nil {
		r.undo(ctx)
		return moved, err
	}
	return moved, nil
}
