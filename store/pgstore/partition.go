package pgstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
)

// PartitionConfig says how the table of records is partitioned. The zero value of each field but Width means its default; of Window and Skew, on a table that is
// partitioned already, what they are.
type PartitionConfig struct {
	Schema string        // where the tables are; default [DefaultSchema]
	Width  time.Duration // required: how much time one partition holds. A quarter of the window makes six or seven partitions at a time
	Window time.Duration // default 24 h: the longest window of all services on this table
	Skew   time.Duration // default 5 min: the longest skew of all services on this table

	clock           string
	patience, pause time.Duration // of one try to lock the table, and until the next; tests set them
	stall           string        // how long the transaction may be left alone; tests set it
}

func (c PartitionConfig) withDefaults() (PartitionConfig, error) {
	if c.clock == "" {
		c.clock = wallClock
	}
	c.patience, c.pause, c.stall = cmp.Or(c.patience, time.Second), cmp.Or(c.pause, 2*time.Second), cmp.Or(c.stall, defaultStall)
	schema, err := schemaName(c.Schema)
	c.Schema = schema
	return c, c.faults(err)
}

// keeping fills in what is not given: on a table that is partitioned, what is.
func (c PartitionConfig) keeping(was layout) (PartitionConfig, error) {
	if c.Window == 0 {
		c.Window = cmp.Or(was.window, onceward.DefaultWindow)
	}
	if c.Skew == 0 {
		c.Skew = cmp.Or(was.skew, onceward.DefaultSkew)
	}
	return c, c.faults(nil)
}

// faults names every fault at once; what is not given yet has none.
func (c PartitionConfig) faults(err error) error {
	all := []error{err}
	require := func(ok bool, field string, value any, rule string) {
		if !ok {
			all = append(all, fmt.Errorf("PartitionConfig.%s = %v: %s", field, value, rule))
		}
	}
	require(c.Window == 0 || c.Window >= time.Second && c.Window <= maxWindow, "Window", c.Window, "must be between 1s and 10 years")
	require(c.Skew >= 0 && c.Skew <= 24*time.Hour, "Skew", c.Skew, "must be positive, and at most 24h")
	require(c.Width >= c.Window/mostPartitions, "Width", c.Width,
		fmt.Sprintf("must be at least a %dth of the window: each statement locks every partition", mostPartitions))
	require(c.Width >= time.Second && c.Width <= maxWindow, "Width", c.Width, "must be between 1s and 10 years")
	if err := errors.Join(all...); err != nil {
		return &onceward.Error{Op: "partition", Err: onceward.ErrConfig, Cause: err}
	}
	return nil
}

// mostPartitions bounds how many partitions there are for a window. A transaction locks each, and its three indexes: 116 locks. A server has room for twice
// max_locks_per_transaction of them, 128 by default, in each of max_connections at once; beyond, operations fail with "out of shared memory".
const mostPartitions = 24

// conversions is how often the table is tried to be locked: for a minute.
const conversions = 20

// Partition lays the table of records out anew: keys with a stamp go into partitions by it, so that what is over is dropped and not removed row by row. All
// else, and all that is there already, stays in one plain partition, where it is. It takes one transaction, which reads the table twice and locks it meanwhile: processes that are
// running fail from then on, executing nothing, until they are started anew. While a function runs in a transaction on the table it cannot be locked, and whoever
// comes after that waits: so it is tried for a second at a time, for a minute.
//
// Run on a partitioned table it changes what Width is from here on, and Window and Skew if
// they are given: partitions that are there keep their bounds, for nothing would be gained by writing them anew. Before Window or Skew become shorter, all services
// have to have a shorter one. A [Maintainer] has to run from now on.
//
// It needs the owner of the tables, tables that [Migrate] has made, and PostgreSQL 14 or newer. changed says whether the table was plain.
func Partition(ctx context.Context, db Beginner, c PartitionConfig) (changed bool, err error) {
	if c, err = c.withDefaults(); err != nil {
		return false, err
	}
	for n := 1; ; n++ {
		changed, err = c.layOutOrChange(ctx, db)
		if n == conversions || !isCode(err, lockNotAvailable, deadlock) {
			return changed, failedPartition(err)
		}
		pause := time.NewTimer(c.pause) // for those who have waited behind us
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return false, failedPartition(errors.Join(context.Cause(ctx), err))
		}
	}
}

func (c PartitionConfig) layOutOrChange(ctx context.Context, db Beginner) (changed bool, err error) {
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			changed, err = false, errors.Join(err, ignoreClosed(tx.Rollback(context.WithoutCancel(ctx))))
		}
	}()
	if err = c.hold(ctx, tx); err != nil {
		return false, err
	}
	was, err := findLayout(ctx, tx, c.Schema)
	if err != nil && !errors.Is(err, errNoWidth) {
		return false, err
	}
	if c, err = c.keeping(was); err != nil {
		return false, err
	}
	have, err := readVersion(ctx, tx, c.Schema)
	if err == nil {
		err = have.fault(c.Schema)
	}
	if err == nil && !was.partitioned {
		changed, err = true, c.layOut(ctx, tx)
	}
	if err == nil {
		_, err = tx.Exec(ctx, "INSERT INTO "+c.Schema+".partitioning (width, keep_window, keep_skew) VALUES ($1, $2, $3) "+
			"ON CONFLICT (one) DO UPDATE SET width = excluded.width, keep_window = excluded.keep_window, keep_skew = excluded.keep_skew",
			millis(c.Width), millis(c.Window), millis(c.Skew))
	}
	if err == nil {
		_, _, err = makeAhead(ctx, tx, c)
	}
	if err != nil {
		return false, err
	}
	return changed, tx.Commit(ctx)
}

// hold begins a change, beside no other and no maintainer.
func (c PartitionConfig) hold(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, holdBriefly, c.stall); err != nil { // a process that stalls here would keep everybody from the table
		return err
	}
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1::int, 0)", lockMigrate); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '3s'"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1::int, hashtext($2))", lockPartitions, c.Schema); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "SET LOCAL lock_timeout TO DEFAULT")
	return err
}

func (c PartitionConfig) layOut(ctx context.Context, tx pgx.Tx) error {
	var version int
	if err := tx.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	if version < 140000 {
		return fmt.Errorf("%w: partitions need PostgreSQL 14 or newer, for DETACH … CONCURRENTLY", ErrSchema)
	}
	_, err := tx.Conn().PgConn().Exec(ctx, strings.NewReplacer("{schema}", c.Schema, "{patience}", inMillis(c.patience)).Replace(partitionSQL)).ReadAll()
	return err
}

// Partitioning says how the table of records in a schema ("": [DefaultSchema]) is partitioned. ok is false if it is not.
func Partitioning(ctx context.Context, db Beginner, schema string) (c PartitionConfig, ok bool, err error) {
	if schema, err = schemaName(schema); err != nil {
		return PartitionConfig{}, false, err
	}
	var l layout
	err = pgx.BeginTxFunc(ctx, db, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		l, err = findLayout(ctx, tx, schema)
		return err
	})
	if err != nil || !l.partitioned {
		return PartitionConfig{}, false, failed("read the layout", err)
	}
	return PartitionConfig{Schema: schema, Width: l.width, Window: l.window, Skew: l.skew}, true, nil
}

func failedPartition(err error) error {
	if errors.Is(err, onceward.ErrConfig) {
		return err
	}
	if isCode(err, "42501") {
		return fmt.Errorf("pgstore: partition: %w: %w (connect as the owner of the tables)", ErrGrants, err)
	}
	if isCode(err, lockNotAvailable) {
		return fmt.Errorf("pgstore: partition: %w (transactions on the table, or a maintainer's work, do not end: try again)", err)
	}
	return failed("partition", err)
}
