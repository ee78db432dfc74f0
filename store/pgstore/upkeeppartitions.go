package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
)

// How a partition goes. Whoever takes over from a maintainer that died goes on behind the last step that was done.
//
//  1. The floor is raised to its last possible stamp, in a transaction of its own: from here on no key of the partition without a record is admitted by anybody who
//     reads the watermark. It is a bound and not the newest stamp that goes, which only a look at every row would tell; all stamps up to it are out of the window
//     and the skew anyway.
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

// upkeeping is the work on partitions of one round, on one connection, which holds the lock.
type upkeeping struct {
	m    *Maintainer
	conn *pgxpool.Conn
	c    PartitionConfig
	now  store.Time
}

// partitions makes what will be needed and drops what is over, unless another maintainer is at it.
func (m *Maintainer) partitions(ctx context.Context) error {
	conn, err := m.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	l, err := findLayout(ctx, conn, m.config.Schema)
	if err != nil || !l.partitioned {
		return err
	}
	u := &upkeeping{m: m, conn: conn, c: PartitionConfig{Schema: m.config.Schema, Width: l.width, Window: l.window, Skew: l.skew, clock: m.config.clock}}
	if err := conn.QueryRow(ctx, u.fill("SELECT {clock}")).Scan(&u.now); err != nil {
		return err
	}
	if off := u.now.Sub(store.TimeOf(m.config.wall())); off.Abs() > l.skew {
		return fmt.Errorf("%w: the server's is %v away from this machine's: correct the one that is wrong", store.ErrClock, off)
	}
	return u.alone(ctx, func() error {
		if err := u.ahead(ctx); err != nil {
			return err
		}
		return u.removeOld(ctx)
	})
}

func (u *upkeeping) fill(text string) string {
	return strings.NewReplacer("{schema}", u.c.Schema, "{clock}", u.c.clock).Replace(text)
}

// alone works under the lock of maintainers, with bounded waits. The session holds it: it ends with its connection.
func (u *upkeeping) alone(ctx context.Context, work func() error) (err error) {
	var mine bool
	if err := u.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1::int, hashtext($2))", lockPartitions, u.c.Schema).Scan(&mine); err != nil || !mine {
		return err
	}
	defer func() {
		bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), u.m.config.Patience)
		defer stop()
		_, err1 := u.conn.Exec(bounded, "RESET lock_timeout; RESET statement_timeout")
		_, err2 := u.conn.Exec(bounded, "SELECT pg_advisory_unlock($1::int, hashtext($2))", lockPartitions, u.c.Schema)
		if errors.Join(err1, err2) != nil {
			_ = u.conn.Conn().Close(bounded) // and with it the lock
		}
	}()
	patience := inMillis(u.m.config.Patience)
	if _, err := u.conn.Exec(ctx, "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', $1, false)", patience); err != nil {
		return err
	}
	return work()
}

func (u *upkeeping) ahead(ctx context.Context) error {
	began := time.Now()
	var made []span
	err := pgx.BeginFunc(ctx, u.conn, func(tx pgx.Tx) (err error) {
		made, err = makeAhead(ctx, tx, u.c)
		return err
	})
	for _, s := range made {
		if err == nil {
			u.tell(ctx, s, PartitionEvent{Took: time.Since(began)})
		}
	}
	return err
}

func (u *upkeeping) tell(ctx context.Context, s span, e PartitionEvent) {
	e.Table, e.From, e.To = s.table(), s.from.Std().UTC(), s.to.Std().UTC()
	u.m.config.Partition(ctx, e)
}

// known is a partition that the catalogue has.
type known struct {
	span
	attached, pending bool // pending: a DETACH was interrupted
}

// removeOld drops every partition that is over, the oldest first, and what others have left half done.
func (u *upkeeping) removeOld(ctx context.Context) error {
	rows, err := u.conn.Query(ctx, u.fill(`SELECT c.relname, i.inhrelid IS NOT NULL, coalesce(i.inhdetachpending, false)
		FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
		WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^records_[0-9]+_[0-9]+$'
			AND pg_catalog.obj_description(c.oid, 'pg_class') LIKE 'onceward: %'
		ORDER BY substring(c.relname FROM '_([0-9]+)$')::bigint`))
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k known, err error) {
		var name string
		if err := row.Scan(&name, &k.attached, &k.pending); err != nil {
			return k, err
		}
		k.span, err = spanOf(name)
		return k, err
	})
	if err != nil {
		return err
	}
	for _, k := range all {
		since := u.now.Sub(k.to.Add(u.c.Window).Add(u.c.Skew)) // how long it has been over
		if k.attached && !k.pending && since < 0 {
			continue
		}
		err := u.remove(ctx, k)
		if since < u.c.Width && (errors.Is(err, errBusy) || isCode(err, lockNotAvailable, queryCanceled)) {
			return nil // there is time: nobody need look
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func spanOf(table string) (s span, err error) {
	parts := strings.Split(table, "_")
	from, err1 := strconv.ParseInt(parts[1], 10, 64)
	to, err2 := strconv.ParseInt(parts[2], 10, 64)
	return span{store.Time(from), store.Time(to)}, errors.Join(err1, err2)
}

func (u *upkeeping) remove(ctx context.Context, k known) error {
	r, began := &removal{upkeeping: u, span: k.span, table: u.c.Schema + "." + k.table()}, time.Now()
	for _, step := range []struct {
		name string
		due  bool
		do   func(context.Context) error
	}{
		{"raise the floor", true, r.raiseFloor},
		{"wait for older transactions", k.attached && !k.pending, r.awaitOlder},
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

const stillThere = `SELECT coalesce(array_agg(pid), '{}') FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND granted AND virtualxid = ANY($1::text[])`

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
