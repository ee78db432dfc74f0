package pgstore

import (
	"context"

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
	traits, l, err := inspect(ctx, pool, c.Schema)
	if err == nil {
		err = l.keeps(c.Window, c.Skew)
	}
	if err != nil {
		return nil, err
	}
	table := on(pool, Config{Schema: c.Schema, clock: c.clock, stall: defaultStall}, traits, l)
	table.promise(c.Window, c.Skew)
	return &Transactor{newEngine(c, &pgxLink{texts: newTexts(c, l), pool: pool, schema: c.Schema}, table, traits)}, nil
}

// Transact carries out a plain function once per key, in the transaction that it is given. See [onceward.Executor] for what comes back.
func (t *Transactor) Transact(ctx context.Context, call onceward.Call, fn func(context.Context, pgx.Tx) onceward.Outcome) (onceward.Result, error) {
	return t.Do(ctx, call, func(ctx context.Context, _ onceward.Attempt) onceward.Outcome { return fn(ctx, Tx(ctx)) })
}
