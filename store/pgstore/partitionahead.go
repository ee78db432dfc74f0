package pgstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward/store"
)

// span is a partition: stamps from and up to, but not including, to.
type span struct{ from, to store.Time }

func (s span) table() string { return fmt.Sprintf("records_%d_%d", s.from, s.to) }

// next is the span behind at: to the next multiple of the width.
func next(at store.Time, width time.Duration) span {
	w := store.Time(millis(width))
	return span{at, (at/w + 1) * w}
}

// makeAhead makes the partitions that are missing until two widths ahead, in one piece behind the newest. None is ever made below the watermark of
// dropped ones: what is older than the window and has no partition is sealed first.
func makeAhead(ctx context.Context, tx pgx.Tx, c PartitionConfig) (made []span, err error) {
	fill := func(text string) string {
		return strings.NewReplacer("{schema}", c.Schema, "{clock}", c.clock).Replace(text)
	}
	var now, newest, floor store.Time
	if err := tx.QueryRow(ctx, fill(newestPartition)).Scan(&now, &newest, &floor); err != nil {
		return nil, err
	}
	width := store.Time(millis(c.Width))
	oldest := now.Add(-c.Window).Add(-c.Skew)
	if newest < oldest { // the first ones, or nobody has made any for longer than the window
		newest = max(oldest/width*width, floor+1)
		if err := raise(ctx, tx, c.Schema, newest-1); err != nil {
			return nil, err
		}
	}
	for until := now.Add(c.Skew).Add(2 * c.Width); newest <= until; {
		s := next(newest, c.Width)
		text := fill(strings.NewReplacer("{table}", s.table(), "{from}", itoa(int64(s.from)), "{to}", itoa(int64(s.to)),
			"{until}", s.to.Std().UTC().Format(time.RFC3339)).Replace(newPartition))
		if _, err := tx.Conn().PgConn().Exec(ctx, text).ReadAll(); err != nil {
			return nil, err
		}
		newest, made = s.to, append(made, s)
	}
	return made, nil
}

const (
	newestPartition = `SELECT {clock}, (SELECT coalesce(max(substring(c.relname FROM '^records_[0-9]+_([0-9]+)$')::bigint), 0)
	FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '{schema}.records'::regclass),
	(SELECT coalesce(max(watermark), 0) FROM {schema}.watermarks WHERE service = '')`

	// ATTACH takes no lock that anybody who serves waits for; CREATE TABLE … PARTITION OF would. The comment is how a partition is known again.
	newPartition = `DO $$
BEGIN
	EXECUTE 'CREATE TABLE {schema}.{table} (LIKE {schema}.records INCLUDING ALL)' ||
		(SELECT coalesce(' WITH (' || array_to_string(reloptions, ', ') || ')', '') FROM pg_catalog.pg_class WHERE oid = '{schema}.records_plain'::regclass);
	EXECUTE (SELECT format('ALTER TABLE {schema}.{table} OWNER TO %I', pg_catalog.pg_get_userbyid(relowner))
		FROM pg_catalog.pg_class WHERE oid = '{schema}.records'::regclass);
END
$$;
COMMENT ON TABLE {schema}.{table} IS 'onceward: keys minted before {until}';
ALTER TABLE {schema}.records ATTACH PARTITION {schema}.{table} FOR VALUES FROM ({from}) TO ({to})`
)

// raise raises the floor: the watermark of all services. Steps that have read it, and have yet to write, are waited for; those that come later see it.
func raise(ctx context.Context, tx pgx.Tx, schema string, until store.Time) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1::int, hashtext($2))", lockFloor, schema); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, strings.ReplaceAll(`INSERT INTO {schema}.watermarks AS w (service, watermark) VALUES ($1::bytea, $2::bigint)
ON CONFLICT (service) DO UPDATE SET watermark = greatest(w.watermark, excluded.watermark)`, "{schema}", schema), []byte(floorService), int64(until))
	return err
}
