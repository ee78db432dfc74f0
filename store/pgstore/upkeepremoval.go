package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// How a partition goes. Whoever takes over from a maintainer that died goes on behind the last step that was done.
//
//  1. The floor is raised to the newest stamp in it, in a transaction of its own: from here on no key whose record goes is admitted by anybody who reads
//     the watermark. It is never raised to what the clock says, which may be wrong: keys above it have never run.
//  2. Transactions that may have read an older watermark, or that look at the table through an older snapshot, come to their end. Then nobody is left who could
//     take an absent record of this partition for one that was never there.
//  3. Live rows move to bucket 0: open ones, and those that are not over.
//  4. The partition is detached, concurrently: nobody who serves waits.
//  5. What is live in it all the same is moved; the floor is raised once more, to the newest stamp of what is left; it is dropped. In between nobody takes an absent
//     record for one that was never there: a new one has no partition.
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

// raiseFloor takes one round trip, so that nobody who serves waits for a maintainer. Steps that have read the floor, and have yet to write, are waited
// for; those that come later see it.
func (r *removal) raiseFloor(ctx context.Context) error {
	var b pgx.Batch
	b.Queue(begin)
	b.Queue("SELECT pg_advisory_xact_lock($1::int, hashtext($2))", lockFloor, r.c.Schema)
	b.Queue(strings.NewReplacer("{schema}", r.c.Schema, "{table}", r.table).Replace(`INSERT INTO {schema}.watermarks AS w (service, watermark)
SELECT $1::bytea, max(bucket) FROM {table} HAVING max(bucket) IS NOT NULL
ON CONFLICT (service) DO UPDATE SET watermark = greatest(w.watermark, excluded.watermark)`), []byte(floorService))
	b.Queue(commit)
	err := r.conn.SendBatch(ctx, &b).Close()
	if err != nil {
		r.undo(ctx)
	}
	return err
}

// undo ends a transaction that has failed, or the pool closes the connection.
func (u *upkeeping) undo(ctx context.Context) {
	bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), u.m.config.Patience)
	defer stop()
	_, _ = u.conn.Exec(bounded, "ROLLBACK")
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
	if err := r.raiseFloor(ctx); err != nil {
		return err
	}
	_, err := r.conn.Exec(ctx, "DROP TABLE "+r.table)
	return err
}
