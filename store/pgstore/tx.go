package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/onceward/onceward"
)

// ErrNotYours is what Commit and Rollback of the transaction that a guarded function is given return: how the function ends decides.
var ErrNotYours = errors.New("pgstore: the transaction belongs to onceward: end the function with onceward.Save, Reject or Free")

type txKey struct{}

// Tx is the transaction of the guarded function that ctx belongs to. Whoever holds it cannot commit it or roll it back, see [ErrNotYours]; Begin gives a
// savepoint, which can be. Conn returns nil, for a connection could commit; register types where the pool connects.
//
// Outside of a guarded function, and after it has ended, every method fails, with an error that wraps [onceward.ErrNoAttempt]: nothing is written outside
// of the transaction by mistake.
func Tx(ctx context.Context) pgx.Tx {
	if t, ok := ctx.Value(txKey{}).(*tx); ok {
		return t
	}
	return &tx{run: &txRun{gate: gate{over: true}}}
}

var errOutside = fmt.Errorf("pgstore: %w: the transaction is there for a guarded function, until it returns, and under the context that it is given", onceward.ErrNoAttempt)

// txRun is the transaction of one run.
type txRun struct {
	gate
	conn  *pgx.Conn
	inner pgx.Tx
}

// see notes an error of the server, or of the connection.
func (r *txRun) see(err error) error {
	if err != nil && (isServers(err) || r.conn.IsClosed()) {
		r.note(err)
	}
	return err
}

// begun notes how to end what the function reads, unless it read something else already: then it has failed.
func (r *txRun) begun(busy bool, finish func()) {
	if !busy {
		r.reading(finish)
	}
}

func (r *txRun) busy() bool { return r.conn.PgConn().IsBusy() }

// tx is the transaction, or a savepoint in it, as the function sees it.
type tx struct {
	run   *txRun
	inner pgx.Tx
	point bool // a savepoint
}

var _ pgx.Tx = (*tx)(nil)

// Begin makes a savepoint.
func (t *tx) Begin(ctx context.Context) (pgx.Tx, error) {
	if err := t.run.use(); err != nil {
		return nil, err
	}
	defer t.run.leave()
	inner, err := t.inner.Begin(ctx)
	if t.run.see(err) != nil {
		return nil, err
	}
	return &tx{run: t.run, inner: inner, point: true}, nil
}

// Commit releases a savepoint, and is [ErrNotYours] otherwise.
func (t *tx) Commit(ctx context.Context) error {
	switch err := t.run.use(); {
	case err != nil:
		return err
	case !t.point:
		t.run.leave()
		return ErrNotYours
	}
	defer t.run.leave()
	return t.run.see(t.inner.Commit(ctx))
}

// Rollback rolls back to a savepoint, and is [ErrNotYours] otherwise.
func (t *tx) Rollback(ctx context.Context) error {
	switch err := t.run.use(); {
	case err != nil:
		return err
	case !t.point:
		t.run.leave()
		return ErrNotYours
	}
	defer t.run.leave()
	return t.run.see(t.inner.Rollback(ctx))
}

// Exec is pgx's.
func (t *tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.run.use(); err != nil {
		return pgconn.CommandTag{}, err
	}
	defer t.run.leave()
	tag, err := t.inner.Exec(ctx, sql, args...)
	return tag, t.run.see(err)
}

// Query is pgx's.
func (t *tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.run.use(); err != nil {
		return &rows{err: err}, err
	}
	defer t.run.leave()
	busy := t.run.busy()
	inner, err := t.inner.Query(ctx, sql, args...)
	t.run.begun(busy, func() {
		inner.Close()
		_ = t.run.see(inner.Err())
	})
	return &rows{Rows: inner, run: t.run}, t.run.see(err)
}

// QueryRow is pgx's.
func (t *tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.run.use(); err != nil {
		return oneRow{err: err}
	}
	defer t.run.leave()
	busy := t.run.busy()
	inner := t.inner.QueryRow(ctx, sql, args...)
	t.run.begun(busy, func() { _ = t.run.see(inner.Scan()) })
	return oneRow{inner: inner, run: t.run}
}

// SendBatch is pgx's.
func (t *tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if err := t.run.use(); err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	defer t.run.leave()
	busy := t.run.busy()
	inner := t.inner.SendBatch(ctx, b)
	t.run.begun(busy, func() { _ = t.run.see(inner.Close()) })
	return &batchResults{BatchResults: inner, run: t.run}
}

// CopyFrom is pgx's.
func (t *tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	if err := t.run.use(); err != nil {
		return 0, err
	}
	defer t.run.leave()
	n, err := t.inner.CopyFrom(ctx, table, columns, source)
	return n, t.run.see(err)
}

// Prepare is pgx's.
func (t *tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if err := t.run.use(); err != nil {
		return nil, err
	}
	defer t.run.leave()
	d, err := t.inner.Prepare(ctx, name, sql)
	return d, t.run.see(err)
}

var errNoLargeObjects = errors.New("pgstore: pgx.LargeObjects could write after the function has ended: use lo_from_bytea, lo_put and lo_get in statements")

// LargeObjects panics, for it has no error to return: what it gives could not be taken back at the end of the function. Large objects are there by
// statements: lo_from_bytea, lo_put, lo_get and lo_unlink.
func (t *tx) LargeObjects() pgx.LargeObjects { panic(errNoLargeObjects) }

// Conn returns nil: a connection could commit.
func (t *tx) Conn() *pgx.Conn { return nil }
