package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
)

// upkeeping is the work on partitions of one round, on one connection, which holds the lock.
type upkeeping struct {
	m    *Maintainer
	conn *pgxpool.Conn
	c    PartitionConfig
	now  store.Time
	made time.Time // when partitions were last made
}

// partitions works on a partitioned table. If another maintainer is at it, and what is due is not done in time, that is an error.
func (m *Maintainer) partitions(ctx context.Context, work, look func(*upkeeping, context.Context) error) error {
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
	if err := conn.QueryRow(ctx, u.c.fill("SELECT {clock}")).Scan(&u.now); err != nil {
		return err
	}
	patience := time.NewTimer(m.config.Patience)
	defer patience.Stop()
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		mine, err := u.alone(ctx, func() error { return work(u, ctx) })
		if mine || err != nil {
			return err
		}
		late := look(u, ctx)
		if late == nil {
			return nil
		}
		again := time.NewTimer(wait) // that one may be about to do it
		select {
		case <-again.C:
		case <-patience.C:
			return fmt.Errorf("%w: another maintainer is at it, and does not get on: see pg_locks, classid %d, and pg_stat_activity", late, lockPartitions)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// shortestIdle bounds from below for how long a session that works may be silent.
const shortestIdle = 2 * time.Second

// alone works under the lock of maintainers, with bounded waits. The session holds the lock: it ends with its connection, and the server ends that if its client is
// silent for as long as others would wait: it is frozen, or gone.
func (u *upkeeping) alone(ctx context.Context, work func() error) (mine bool, err error) {
	var backend uint32
	if err := u.conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return false, err
	}
	if backend != u.conn.Conn().PgConn().PID() { // of which a pooler gives its clients one of its own
		return false, errPooler
	}
	defer func() { err = errors.Join(err, u.leave(ctx, mine)) }()
	patience, idle := inMillis(u.m.config.Patience), inMillis(max(u.m.config.Patience, shortestIdle))
	if _, err := u.conn.Exec(ctx, `SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', $1, false),
	set_config('idle_session_timeout', $2, false), set_config('idle_in_transaction_session_timeout', $2, false)`, patience, idle); err != nil {
		return false, err
	}
	if err := u.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1::int, hashtext($2))", lockPartitions, u.c.Schema).Scan(&mine); err != nil || !mine {
		return false, err
	}
	return true, work()
}

// leave gives the lock and the settings back, or else the connection.
func (u *upkeeping) leave(ctx context.Context, mine bool) error {
	bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), u.m.config.Patience)
	defer stop()
	_, err := u.conn.Exec(bounded, "RESET lock_timeout; RESET statement_timeout; RESET idle_session_timeout; RESET idle_in_transaction_session_timeout")
	unlocked := true
	if err == nil && mine {
		err = u.conn.QueryRow(bounded, "SELECT pg_advisory_unlock($1::int, hashtext($2))", lockPartitions, u.c.Schema).Scan(&unlocked)
	}
	if err != nil || !unlocked {
		_ = u.conn.Conn().Close(bounded)
	}
	if !unlocked {
		return errPooler
	}
	return nil // work was done all the same
}

var errPooler = errors.New("pgstore: this connection leads through a pooler, which keeps the lock of maintainers: connect to the server directly")

// stillAhead is an error if partitions will be missing within a width.
func (u *upkeeping) stillAhead(ctx context.Context) error {
	p, now, err := u.c.look(ctx, u.conn)
	if err == nil && len(p.missing) > 0 && p.missing[0].from <= now.Add(u.c.Width) {
		err = fmt.Errorf("%w for keys minted from %s on", ErrPartition, p.missing[0].from.Std().UTC().Format(time.RFC3339))
	}
	return err
}

// noneLate is an error if a partition has been over for longer than a width.
func (u *upkeeping) noneLate(ctx context.Context) error {
	all, err := u.c.known(ctx, u.conn)
	for _, k := range all {
		if u.late(k) > u.c.Width && (k.attached || k.ours) {
			return fmt.Errorf("%w: %s", errBusy, k.table())
		}
	}
	return err
}

// late is how long a partition has been over.
func (u *upkeeping) late(k known) time.Duration { return u.now.Sub(k.to.Add(u.c.Window).Add(u.c.Skew)) }

// keepAhead is for work that takes long: meanwhile nobody else makes partitions. A hole has been told of.
func (u *upkeeping) keepAhead(ctx context.Context) error {
	if time.Since(u.made) < u.m.config.Every {
		return nil
	}
	if err := u.ahead(ctx); !errors.Is(err, ErrPartition) {
		return err
	}
	return nil
}

func (u *upkeeping) ahead(ctx context.Context) error {
	began := time.Now()
	u.made = began
	var made, holes []span
	err := pgx.BeginFunc(ctx, u.conn, func(tx pgx.Tx) (err error) {
		made, holes, err = makeAhead(ctx, tx, u.c)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range made {
		u.tell(ctx, s, PartitionEvent{Took: time.Since(began)})
	}
	return u.c.hole(holes)
}

func (u *upkeeping) tell(ctx context.Context, s span, e PartitionEvent) {
	e.Table, e.From, e.To = s.table(), s.from.Std().UTC(), s.to.Std().UTC()
	u.m.config.Partition(ctx, e)
}

// removeOld drops every partition that is over, the oldest first, and what others have left half done. One that cannot go keeps none of the others.
func (u *upkeeping) removeOld(ctx context.Context) error {
	all, err := u.c.known(ctx, u.conn)
	if err != nil {
		return err
	}
	var faults []error
	u.made = time.Now() // at the round's beginning
	for _, k := range all {
		since := u.late(k)
		if since < 0 || !k.attached && !k.ours {
			continue
		}
		err := u.remove(ctx, k)
		busy := errors.Is(err, errBusy) || isCode(err, lockNotAvailable, queryCanceled)
		if since > u.c.Width || !busy { // else there is time: nobody need look
			faults = append(faults, err)
		}
		if busy || u.conn.Conn().IsClosed() {
			break // the others would wait for the same
		}
	}
	return errors.Join(faults...)
}
