package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// How a partition goes. Whoever takes over from a maintainer that died goes on behind the last step that was done.
//
//  1. The floor is raised to its last possible stamp, in a transaction of its own: from here on no key of the partition without a record is admitted by
//     anybody who reads the watermark. It is a bound and not the newest stamp that goes, which only a look at every row would tell; all stamps up to it are out
//     of the window and the skew anyway.
//  2. Transactions that may have read an older watermark, or that look at the table through an older snapshot, come to their end. Then nobody is left who could
//     take an absent record of this partition for one that was never there.
//  3. Live rows move to bucket 0: open ones, and those that are not over.
//  4. The partition is detached, concurrently: nobody who serves waits.
//  5. What is live in it all the same is moved; it is dropped.
type removal struct {
	*upkeeping
	span
	table string // with its schema
	moved int    // rows, so far
}

func (u *upkeeping) remove(ctx context.Context, k known) error {
	r, began := &removal{upkeeping: u, span: k.span, table: u.c.Schema + "." + k.table()}, time.Now()
	for _, step := range []struct {
		name string
		due  bool
		do   func(context.Context) error
	}{
		{"raise the floor", true, r.raiseFloor},
		{"wait for older transactions", true, r.awaitOlder}, // of a table that somebody has detached by hand, too
		{"move live rows", k.attached && !k.pending, r.moveAttached},
		{"detach", k.attached && !k.pending, r.detach},
		{"finish detaching", k.pending, r.finalize},
		{"move stragglers", true, r.moveDetached},
		{"drop", true, r.drop},
	} {
		if !step.due {
			continue
		}
		if err := u.m.config.step(k.span, step.name); err != nil {
			return err
		}
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("drop partition %s: %s: %w", r.table, step.name, err)
		}
	}
	u.tell(ctx, k.span, PartitionEvent{Dropped: true, Moved: r.moved, Took: time.Since(began)})
	return nil
}

func (r *removal) raiseFloor(ctx context.Context) error {
	return pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error { return raise(ctx, tx, r.c.Schema, r.to-1) })
}

// olderTransactions are those of this database that have a snapshot or a number at this moment. A transaction without either has seen nothing that it could
// go on to act by: a transactor's has a number before it hands itself to the function, and a record's step holds the lock that the floor has waited for. Of others'
// backends an ordinary role is not told what they are; autovacuum's have no user.
const olderTransactions = `SELECT coalesce(array_agg(l.virtualxid), '{}') FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted AND a.datname = current_database() AND a.pid <> pg_backend_pid()
	AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL) AND a.usesysid IS NOT NULL`

const stillThere = `SELECT coalesce(array_agg(pid), '{}') FROM pg_catalog.pg_locks
WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND granted AND virtualxid = ANY($1::text[])`

func (r *removal) awaitOlder(ctx context.Context) error {
	var older []string
	if err := r.conn.QueryRow(ctx, olderTransactions).Scan(&older); err != nil || len(older) == 0 {
		return err
	}
	patience := time.NewTimer(r.m.config.Patience)
	defer patience.Stop()
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		var processes []int32
		if err := r.conn.QueryRow(ctx, stillThere, older).Scan(&processes); err != nil || len(processes) == 0 {
			return err
		}
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-patience.C:
			return fmt.Errorf("%w: transactions that were there before it do not end, of the processes %v: see pg_stat_activity", errBusy, processes)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

var errBusy = errors.New("pgstore: the partition stays until the next round")

func (r *removal) detach(ctx context.Context) error {
	_, err := r.conn.Exec(ctx, "ALTER TABLE "+r.c.Schema+".records DETACH PARTITION "+r.table+" CONCURRENTLY")
	return err
}

func (r *removal) finalize(ctx context.Context) error {
	_, err := r.conn.Exec(ctx, "ALTER TABLE "+r.c.Schema+".records DETACH PARTITION "+r.table+" FINALIZE")
	return err
}

func (r *removal) drop(ctx context.Context) error {
	_, err := r.conn.Exec(ctx, "DROP TABLE "+r.table)
	return err
}
