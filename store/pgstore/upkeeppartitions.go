package pgstore

import (
	"context"
	"errors"
	"strings"
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
}

// partitions works on a partitioned table, unless another maintainer is at it.
func (m *Maintainer) partitions(ctx context.Context, work func(*upkeeping, context.Context) error) error {
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
	return u.alone(ctx, func() error { return work(u, ctx) })
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

// removeOld drops every partition that is over, the oldest first, and what others have left half done.
func (u *upkeeping) removeOld(ctx context.Context) error {
	all, err := knownPartitions(ctx, u.conn, u.c.Schema)
	if err != nil {
		return err
	}
	for _, k := range all {
		since := u.now.Sub(k.to.Add(u.c.Window).Add(u.c.Skew)) // how long it has been over
		if since < 0 || !k.attached && !k.ours {
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
