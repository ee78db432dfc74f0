package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"

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

// NewSQLTransactor is [NewTransactor] for a pool of database/sql. Its driver is pgx's stdlib, or another that sends a text without parameters as it is
// and whose errors have a method SQLState, and Get for their other fields, like those of lib/pq.
func NewSQLTransactor(ctx context.Context, db *sql.DB, c TransactConfig) (*SQLTransactor, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	traits, l, err := examine(ctx, sqlQuerier{db}, c.Schema)
	if err == nil {
		err = l.keeps(c.Window, c.Skew)
	}
	if err != nil {
		return nil, err
	}
	table := &sqlPurger{db: db, sql: newStatements(c.Schema, c.clock, l)}
	table.promise(c.Window, c.Skew)
	texts := newTexts(c, l)
	return &SQLTransactor{newEngine(c, &sqlLink{texts: texts, enter: inHex(texts.own.enter), db: db}, table, traits)}, nil
}

// Transact carries out a plain function once per key, in the transaction that it is given. See [onceward.Executor] for what comes back.
func (t *SQLTransactor) Transact(ctx context.Context, call onceward.Call, fn func(context.Context, Querier) onceward.Outcome) (onceward.Result, error) {
	return t.Do(ctx, call, func(ctx context.Context, _ onceward.Attempt) onceward.Outcome { return fn(ctx, SQL(ctx)) })
}

type sqlKey struct{}

// SQL is the transaction of the guarded function that ctx belongs to: what sqlc, ent, GORM and squirrel need, and nothing that could end it. Outside of a
// guarded function, and after it has ended, every method fails, with an error that wraps [onceward.ErrNoAttempt].
func SQL(ctx context.Context) Querier {
	if r, ok := ctx.Value(sqlKey{}).(*sqlRun); ok {
		return r
	}
	return &sqlRun{gate: gate{over: true}}
}

// sqlRun is the transaction of one run.
type sqlRun struct {
	gate
	conn     *sql.Conn
	prepared []*sql.Stmt
}

// close closes what was prepared: a statement goes to the connection by itself.
func (r *sqlRun) close() {
	r.mu.Lock()
	prepared := r.prepared
	r.prepared = nil
	r.mu.Unlock()
	for _, statement := range prepared {
		_ = statement.Close() // which waits for whoever is in it
	}
}

// see notes an error of the server.
func (r *sqlRun) see(err error) error {
	if isServers(err) {
		r.note(err)
	}
	return err
}

// ExecContext is database/sql's.
func (r *sqlRun) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := r.use(); err != nil {
		return nil, err
	}
	defer r.leave()
	result, err := r.conn.ExecContext(ctx, query, args...)
	return result, r.see(err)
}

// QueryContext is database/sql's.
func (r *sqlRun) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := r.use(); err != nil {
		return nil, err
	}
	rows, err := r.conn.QueryContext(ctx, query, args...)
	defer r.leave() // not where an argument has panicked: then database/sql never gives the connection back
	if err == nil {
		r.reading(func() { _, _ = r.see(rows.Close()), r.see(rows.Err()) }) // the function may have kept it to itself
	}
	return rows, r.see(err)
}

// QueryRowContext is database/sql's.
func (r *sqlRun) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if r.use() != nil {
		return nowhere().QueryRowContext(ctx, query)
	}
	row := r.conn.QueryRowContext(ctx, query, args...)
	defer r.leave() // as above
	if r.see(row.Err()) == nil {
		r.reading(func() { _ = r.see(row.Scan()) }) // which closes it
	}
	return row
}

// PrepareContext is database/sql's. The statement ends with the function.
func (r *sqlRun) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := r.use(); err != nil {
		return nil, err
	}
	defer r.leave()
	statement, err := r.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, r.see(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		_ = statement.Close()
		return nil, errOutside
	}
	r.prepared = append(r.prepared, statement)
	return statement, nil
}

// nowhere is a database that cannot be reached: only so does one get a *sql.Row that holds an error.
var nowhere = sync.OnceValue(func() *sql.DB { return sql.OpenDB(unreachable{}) })

type unreachable struct{}

// Connect fails.
func (unreachable) Connect(context.Context) (driver.Conn, error) { return nil, errOutside }

// Driver has none.
func (unreachable) Driver() driver.Driver { return nil }
