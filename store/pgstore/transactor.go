package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
)

// Transactor carries out each operation once by committing its effect, its record and its reply in one transaction of PostgreSQL. It is an
// [onceward.Executor]; inside a guarded function [Tx] is the transaction. Safe for concurrent use; make one with [NewTransactor].
type Transactor struct{ *engine }

var _ onceward.Executor = (*Transactor)(nil)

// NewTransactor returns a transactor over the tables that [Migrate] makes. Like [New], it asks the database whether it can serve. The pool stays
// the caller's.
func NewTransactor(ctx context.Context, pool *pgxpool.Pool, c TransactConfig) (*Transactor, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := inspect(ctx, pool, c.Schema); err != nil {
		return nil, err
	}
	return &Transactor{&engine{config: c}}, nil
}

// Transact carries out a plain function once per key, in the transaction that it is given. See [onceward.Executor] for what comes back.
func (t *Transactor) Transact(ctx context.Context, call onceward.Call, fn func(context.Context, pgx.Tx) onceward.Outcome) (onceward.Result, error) {
	return t.Do(ctx, call, func(ctx context.Context, _ onceward.Attempt) onceward.Outcome { return fn(ctx, Tx(ctx)) })
}

// engine is what transactors have in common.
type engine struct{ config TransactConfig }

// Do implements [onceward.Executor].
func (e *engine) Do(context.Context, onceward.Call, func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	return onceward.Result{}, &onceward.Error{Op: "do", Err: onceward.ErrClosed}
}

// Window is how long a key is remembered after its completion.
func (e *engine) Window() time.Duration { return e.config.Window }

// Guarantee says what holds, with the server's settings as they were when the transactor was made.
func (e *engine) Guarantee() onceward.Guarantee { return onceward.Guarantee{} }

// Close lets the functions that run come to their end and begins no more. If ctx ends first, Close returns its error. The pool stays open.
func (e *engine) Close(context.Context) error { return nil }

// Tx is the transaction of the guarded function that ctx belongs to. Whoever holds it cannot commit it or roll it back: how the function ends
// decides. Outside of a guarded function every method of the result fails with [onceward.ErrNoAttempt]; none works outside of a transaction by mistake.
func Tx(context.Context) pgx.Tx { return nil }
