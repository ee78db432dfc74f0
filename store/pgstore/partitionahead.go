package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward/store"
)

// span is a partition: stamps from and up to, but not including, to.
type span struct{ from, to store.Time }

func (s span) table() string { return fmt.Sprintf("records_%d_%d", s.from, s.to) }

func spanOf(table string) (s span, err error) {
	parts := strings.Split(table, "_")
	from, err1 := strconv.ParseInt(parts[1], 10, 64)
	to, err2 := strconv.ParseInt(parts[2], 10, 64)
	return span{store.Time(from), store.Time(to)}, errors.Join(err1, err2)
}

// next is the span behind at: to the next multiple of the width.
func next(at store.Time, width time.Duration) span {
	w := store.Time(millis(width))
	return span{at, (at/w + 1) * w}
}

// asking is a connection, or a transaction.
type asking interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// look finds what is missing by the server's clock.
func (c PartitionConfig) look(ctx context.Context, db asking) (p planned, now store.Time, err error) {
	var floor store.Time
	err = db.QueryRow(ctx, c.fill(`SELECT {clock}, (SELECT coalesce(max(watermark), 0) FROM {schema}.watermarks WHERE service = '')`)).Scan(&now, &floor)
	if err != nil {
		return p, now, err
	}
	have, err := c.known(ctx, db)
	return c.plan(now, floor, have), now, err
}

func (c PartitionConfig) fill(text string) string {
	return strings.NewReplacer("{schema}", c.Schema, "{clock}", c.clock).Replace(text)
}

// makeAhead makes the partitions that are missing until two widths ahead, and says where there is a hole that it must not fill.
func makeAhead(ctx context.Context, tx pgx.Tx, c PartitionConfig) (made, holes []span, err error) {
	p, _, err := c.look(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	run := func(text string, k known) error {
		apart := ""
		if k.apart {
			apart = behindAGap
		}
		text = c.fill(strings.NewReplacer("{table}", k.table(), "{from}", itoa(int64(k.from)), "{to}", itoa(int64(k.to)),
			"{until}", k.to.Std().UTC().Format(time.RFC3339), "{apart}", apart).Replace(text))
		_, err := tx.Conn().PgConn().Exec(ctx, text).ReadAll()
		return err
	}
	for _, k := range p.missing {
		if err := run(newPartition+commentOnPartition, k); err != nil {
			return nil, nil, err
		}
		made = append(made, k.span)
	}
	for _, k := range p.mark {
		k.apart = true
		if err := run(commentOnPartition, k); err != nil {
			return nil, nil, err
		}
	}
	return made, p.holes, nil
}

const (
	// ATTACH takes no lock that anybody who serves waits for; CREATE TABLE … PARTITION OF would.
	newPartition = `DO $$
BEGIN
	EXECUTE 'CREATE TABLE {schema}.{table} (LIKE {schema}.records INCLUDING ALL)' ||
		(SELECT coalesce(' WITH (' || array_to_string(reloptions, ', ') || ')', '') FROM pg_catalog.pg_class WHERE oid = '{schema}.records_plain'::regclass);
	EXECUTE (SELECT format('ALTER TABLE {schema}.{table} OWNER TO %I', pg_catalog.pg_get_userbyid(relowner))
		FROM pg_catalog.pg_class WHERE oid = '{schema}.records'::regclass);
END
$$;
ALTER TABLE {schema}.records ATTACH PARTITION {schema}.{table} FOR VALUES FROM ({from}) TO ({to});
`

	// The comment is how a partition is known again.
	commentOnPartition = `COMMENT ON TABLE {schema}.{table} IS 'onceward: keys minted before {until}{apart}'`

	behindAGap = ", behind a gap" // what is below it was never made, or dropped by us
)

// known is a partition that the catalogue has, or a table that was one.
type known struct {
	span
	attached, pending bool // pending: a DETACH was interrupted
	ours, apart       bool // by its comment
}

// known are all, in the order of their stamps.
func (c PartitionConfig) known(ctx context.Context, db asking) ([]known, error) {
	rows, err := db.Query(ctx, c.fill(`SELECT c.relname, i.inhrelid IS NOT NULL, coalesce(i.inhdetachpending, false),
	coalesce(pg_catalog.obj_description(c.oid, 'pg_class') LIKE 'onceward: %', false), coalesce(pg_catalog.obj_description(c.oid, 'pg_class') LIKE '%`+behindAGap+`', false)
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = '{schema}.records'::regclass
WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^records_[0-9]+_[0-9]+$'
ORDER BY substring(c.relname FROM '_([0-9]+)_')::bigint`))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k known, err error) {
		var name string
		if err := row.Scan(&name, &k.attached, &k.pending, &k.ours, &k.apart); err != nil {
			return k, err
		}
		k.span, err = spanOf(name)
		return k, err
	})
}
