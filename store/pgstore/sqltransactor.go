package pgstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/onceward/onceward"
)

// Querier is what code on database/sql needs: the methods that *sql.DB, *sql.Tx and *sql.Conn have in common.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// SQLTransactor is a [Transactor] on database/sql. Inside a guarded function [SQL] is the transaction.
type SQLTransactor struct{ *engine }

var _ onceward.Executor = (*SQLTransactor)(nil)

// NewSQLTransactor is [NewTransactor] for a pool of database/sql. Its driver may be pgx's or another that sends a query without arguments as it is.
func NewSQLTransactor(_ context.Context, _ *sql.DB, c TransactConfig) (*SQLTransactor, error) {
	if _, err := c.withDefaults(); err != nil {
		return nil, err
	}
	return nil, errors.ErrUnsupported
}

// Transact carries out a plain function once per key, in the transaction that it is given. See [onceward.Executor] for what comes back.
func (t *SQLTransactor) Transact(ctx context.Context, call onceward.Call, fn func(context.Context, Querier) onceward.Outcome) (onceward.Result, error) {
	return t.Do(ctx, call, func(ctx context.Context, _ onceward.Attempt) onceward.Outcome { return fn(ctx, SQL(ctx)) })
}

// SQL is the transaction of the guarded function that ctx belongs to. Outside of a guarded function every method of the result fails with
// [onceward.ErrNoAttempt].
func SQL(context.Context) Querier { return nil }
