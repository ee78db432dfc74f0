package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// PartitionConfig says how the table of records is partitioned. The zero value of each field but Width means its default.
type PartitionConfig struct {
	Schema string        // where the tables are; default [DefaultSchema]
	Width  time.Duration // required: how much time one partition holds. A quarter of the window makes six or seven partitions at a time
	Window time.Duration // default 24 h: the longest window of all services on this table
	Skew   time.Duration // default 5 min: the longest skew of all services on this table

	clock string
}

func (c PartitionConfig) withDefaults() (PartitionConfig, error) {
	if c.Window == 0 {
		c.Window = onceward.DefaultWindow
	}
	if c.Skew == 0 {
		c.Skew = onceward.DefaultSkew
	}
	if c.clock == "" {
		c.clock = wallClock
	}
	schema, err := schemaName(c.Schema)
	c.Schema = schema
	faults := []error{err}
	require := func(ok bool, field string, value any, rule string) {
		if !ok {
			faults = append(faults, fmt.Errorf("PartitionConfig.%s = %v: %s", field, value, rule))
		}
	}
	require(c.Window >= time.Second && c.Window <= maxWindow, "Window", c.Window, "must be between 1s and 10 years")
	require(c.Skew > 0 && c.Skew <= 24*time.Hour, "Skew", c.Skew, "must be positive, and at most 24h")
	require(c.Width >= c.Window/mostPartitions, "Width", c.Width, fmt.Sprintf("must be at least a %dth of the window: each statement locks every partition", mostPartitions))
	require(c.Width >= time.Second && c.Width <= maxWindow, "Width", c.Width, "must be between 1s and 10 years")
	if err := errors.Join(faults...); err != nil {
		return c, &onceward.Error{Op: "partition", Err: onceward.ErrConfig, Cause: err}
	}
	return c, nil
}

// mostPartitions bounds how many partitions there are for a window.
const mostPartitions = 100

// Partition lays the table of records out anew: keys with a stamp go into partitions by it, so that what is over is dropped and not removed row by row. All else, and all
// that is there already, stays in one plain partition, where it is. It takes one transaction, which reads the table twice and locks it meanwhile: processes that are
// running fail from then on, executing nothing, until they are started anew. Run on a partitioned table it changes what Width, Window and Skew are from here on:
// partitions that are there keep their bounds, for nothing would be gained by writing them anew. A [Maintainer] has to run from now on.
//
// It needs the owner of the tables, tables that [Migrate] has made, and PostgreSQL 14 or newer. changed says whether the table was plain.
func Partition(ctx context.Context, db Beginner, c PartitionConfig) (changed bool, err error) {
	if c, err = c.withDefaults(); err != nil {
		return false, err
	}
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
	if err != nil {
		return false, failedPartition(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(failedPartition(err), ignoreClosed(tx.Rollback(context.WithoutCancel(ctx))))
		}
	}()
	if _, err = tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1::int, 0)", lockMigrate); err != nil {
		return false, err
	}
	have, err := readVersion(ctx, tx, c.Schema)
	if err == nil {
		err = have.fault(c.Schema)
	}
	if err == nil {
		changed, err = c.layOut(ctx, tx)
	}
	if err == nil {
		_, err = tx.Exec(ctx, "UPDATE "+c.Schema+".partitioning SET width = $1, keep_window = $2, keep_skew = $3", millis(c.Width), millis(c.Window), millis(c.Skew))
	}
	if err == nil {
		_, err = makeAhead(ctx, tx, c)
	}
	if err != nil {
		return false, err
	}
	return changed, tx.Commit(ctx)
}

func (c PartitionConfig) layOut(ctx context.Context, tx pgx.Tx) (changed bool, err error) {
	var version int
	var partitioned bool
	if err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, relkind = 'p' FROM pg_catalog.pg_class WHERE oid = $1::regclass`, c.Schema+".records").
		Scan(&version, &partitioned); err != nil || partitioned {
		return false, err
	}
	if version < 140000 {
		return false, fmt.Errorf("%w: partitions need PostgreSQL 14 or newer, for DETACH … CONCURRENTLY", ErrSchema)
	}
	_, err = tx.Conn().PgConn().Exec(ctx, strings.ReplaceAll(partitionSQL, "{schema}", c.Schema)).ReadAll()
	return true, err
}

// partitionSQL makes the plain table a partition of a new one. Its rows stay where they are; its new key is built by reading them.
const partitionSQL = `
SET LOCAL lock_timeout = '10s';
LOCK TABLE {schema}.records IN ACCESS EXCLUSIVE MODE;
RESET lock_timeout;
ALTER TABLE {schema}.records RENAME TO records_plain;
ALTER TABLE {schema}.records_plain ADD COLUMN bucket bigint NOT NULL DEFAULT 0;
ALTER TABLE {schema}.records_plain ALTER COLUMN bucket DROP DEFAULT;
ALTER TABLE {schema}.records_plain DROP CONSTRAINT records_pkey;
ALTER TABLE {schema}.records_plain ADD CONSTRAINT records_plain_pkey PRIMARY KEY (bucket, id);
ALTER INDEX {schema}.records_open RENAME TO records_plain_open;
ALTER INDEX {schema}.records_over RENAME TO records_plain_over;

-- (bucket, id) and not (id, bucket): within a partition it is then filled at its right end, like the stamps.
CREATE TABLE {schema}.records (LIKE {schema}.records_plain INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS,
	CONSTRAINT records_pkey PRIMARY KEY (bucket, id)) PARTITION BY RANGE (bucket);
COMMENT ON TABLE {schema}.records IS 'the deduplication table: one row per operation, by its bucket';
COMMENT ON COLUMN {schema}.records.bucket IS 'the stamp; 0: none, or moved out of an old partition, or older than the partitions';
CREATE INDEX records_open ON {schema}.records (lease, id) WHERE lease IS NOT NULL;
CREATE INDEX records_over ON {schema}.records (purge_at) WHERE purge_at IS NOT NULL;
DROP TRIGGER whole ON {schema}.records_plain;
CREATE TRIGGER whole BEFORE UPDATE ON {schema}.records FOR EACH ROW EXECUTE FUNCTION {schema}.whole(); -- each partition has it when it is attached
ALTER TABLE {schema}.records ATTACH PARTITION {schema}.records_plain FOR VALUES FROM (0) TO (1);
COMMENT ON TABLE {schema}.records_plain IS 'bucket 0 of records: unstamped keys, and live records out of old partitions';

CREATE TABLE {schema}.partitioning (
	one         boolean PRIMARY KEY DEFAULT true CHECK (one),
	width       bigint NOT NULL CHECK (width > 0), -- milliseconds, like the others
	keep_window bigint NOT NULL,
	keep_skew   bigint NOT NULL
);
COMMENT ON TABLE {schema}.partitioning IS 'how wide partitions are, and for how long after their last stamp they are kept';
INSERT INTO {schema}.partitioning (width, keep_window, keep_skew) VALUES (1, 0, 0);
GRANT SELECT ON {schema}.partitioning TO PUBLIC;

-- Who was allowed something on the table is on the new one. The view is the same, over the new one.
DO $$
DECLARE
	a record;
BEGIN
	FOR a IN SELECT acl.grantee, acl.privilege_type, acl.is_grantable, c.relowner
		FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) acl WHERE c.oid = '{schema}.records_plain'::regclass
	LOOP
		IF a.grantee <> a.relowner THEN
			EXECUTE format('GRANT %s ON {schema}.records TO %s%s', a.privilege_type,
				CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
				CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
		END IF;
	END LOOP;
	EXECUTE (SELECT format('ALTER TABLE {schema}.records OWNER TO %I', pg_catalog.pg_get_userbyid(relowner)) FROM pg_catalog.pg_class WHERE oid = '{schema}.records_plain'::regclass);
	EXECUTE (SELECT format('ALTER TABLE {schema}.partitioning OWNER TO %I', pg_catalog.pg_get_userbyid(relowner)) FROM pg_catalog.pg_class WHERE oid = '{schema}.records_plain'::regclass);
	EXECUTE 'CREATE OR REPLACE VIEW {schema}.operations AS ' || replace(pg_catalog.pg_get_viewdef('{schema}.operations'::regclass), 'records_plain', 'records');
END
$$;
`

func failedPartition(err error) error {
	if isCode(err, "42501") {
		return fmt.Errorf("pgstore: partition: %w: %w (connect as the owner of the tables)", ErrGrants, err)
	}
	if isCode(err, lockNotAvailable) {
		return fmt.Errorf("pgstore: partition: %w (transactions on the table do not end: try again)", err)
	}
	return failed("partition", err)
}

// span is a partition: stamps from and up to, but not including, to.
type span struct{ from, to store.Time }

func (s span) table() string { return fmt.Sprintf("records_%d_%d", s.from, s.to) }

// next is the span behind at: to the next multiple of the width.
func next(at store.Time, width time.Duration) span {
	w := store.Time(millis(width))
	return span{at, (at/w + 1) * w}
}

// makeAhead makes the partitions that are missing until two widths ahead, in one piece behind the newest. None is ever made below the watermark of dropped ones: what is
// older than the window and has no partition is sealed first.
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
		text := fill(strings.NewReplacer("{table}", s.table(), "{from}", itoa(int64(s.from)), "{to}", itoa(int64(s.to)), "{until}", s.to.Std().UTC().Format(time.RFC3339)).Replace(newPartition))
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
	EXECUTE (SELECT format('ALTER TABLE {schema}.{table} OWNER TO %I', pg_catalog.pg_get_userbyid(relowner)) FROM pg_catalog.pg_class WHERE oid = '{schema}.records'::regclass);
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
