package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
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
	require(c.Width >= c.Window/mostPartitions, "Width", c.Width,
		fmt.Sprintf("must be at least a %dth of the window: each statement locks every partition", mostPartitions))
	require(c.Width >= time.Second && c.Width <= maxWindow, "Width", c.Width, "must be between 1s and 10 years")
	if err := errors.Join(faults...); err != nil {
		return c, &onceward.Error{Op: "partition", Err: onceward.ErrConfig, Cause: err}
	}
	return c, nil
}

// mostPartitions bounds how many partitions there are for a window.
const mostPartitions = 50

// Partition lays the table of records out anew: keys with a stamp go into partitions by it, so that what is over is dropped and not removed row by row. All
// else, and all that is there already, stays in one plain partition, where it is. It takes one transaction, which reads the table twice and locks it meanwhile: processes that are
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

func failedPartition(err error) error {
	if isCode(err, "42501") {
		return fmt.Errorf("pgstore: partition: %w: %w (connect as the owner of the tables)", ErrGrants, err)
	}
	if isCode(err, lockNotAvailable) {
		return fmt.Errorf("pgstore: partition: %w (transactions on the table do not end: try again)", err)
	}
	return failed("partition", err)
}
