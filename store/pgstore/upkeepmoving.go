package pgstore

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward/store"
)

// moveBatch is how many rows move in one round trip, each in a transaction of its own.
const moveBatch = 100

// liveRows finds what must outlive its partition by the two indexes: it costs nothing that a million other rows are there.
const liveRows = `(SELECT bucket, id FROM {table} WHERE lease IS NOT NULL LIMIT $2::bigint)
UNION ALL (SELECT bucket, id FROM {table} WHERE purge_at > $1::bigint ORDER BY purge_at DESC LIMIT $2::bigint)`

// moveAttached moves by an update, under the lock of the row's id: nobody is between reading and writing it. Nothing else of the row changes.
func (r *removal) moveAttached(ctx context.Context) error {
	return r.move(ctx, "UPDATE {schema}.records SET bucket = 0 WHERE bucket = $1::bigint AND id = $2::bytea AND (lease IS NOT NULL OR purge_at > $3::bigint)")
}

// moveDetached is for rows that were written after the others had moved, and for a maintainer that finds what another has left.
func (r *removal) moveDetached(ctx context.Context) error {
	var columns string
	if err := r.conn.QueryRow(ctx, `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'bucket'`, r.table).Scan(&columns); err != nil {
		return err
	}
	return r.move(ctx, strings.ReplaceAll(`WITH gone AS (
	DELETE FROM {table} WHERE bucket = $1::bigint AND id = $2::bytea AND (lease IS NOT NULL OR purge_at > $3::bigint) RETURNING *
) INSERT INTO {schema}.records (bucket, {row}) SELECT 0, {row} FROM gone`, "{row}", columns))
}

func (r *removal) move(ctx context.Context, one string) error {
	fill := strings.NewReplacer("{table}", r.table, "{schema}", r.c.Schema).Replace
	one = fill(one)
	for {
		rows, err := r.conn.Query(ctx, fill(liveRows), int64(r.now), moveBatch)
		if err != nil {
			return err
		}
		type place struct {
			bucket int64
			id     []byte
		}
		live, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p place, err error) {
			err = row.Scan(&p.bucket, &p.id)
			return p, err
		})
		if err != nil || len(live) == 0 {
			return err
		}
		var b pgx.Batch
		for _, p := range live {
			b.Queue(begin)
			b.Queue("SELECT pg_advisory_xact_lock($1::bigint)", idLock(store.ID(p.id)))
			b.Queue(one, p.bucket, p.id, int64(r.now))
			b.Queue(commit)
		}
		if err := r.conn.SendBatch(ctx, &b).Close(); err != nil {
			r.undo(ctx)
			return err
		}
		r.moved += len(live)
	}
}
