package main

import (
	"context"
	_ "embed"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/memstore"
	"github.com/onceward/onceward/store/pgstore"
)

//go:embed schema.sql
var schema string

// accounts are there at the beginning, with what is on them.
var accounts = map[string]int64{"alice": 1_000_00, "bob": 1_000_00, "carol": 1_000_00, "dave": 1_000_00, inTransit: 0}

// bank is the ledger with its executor: what guards the handlers.
type bank struct {
	executor  onceward.Executor
	guarantee onceward.Guarantee
	ledger    ledger
	naive     naiveBooks
	guard     *onceward.Guard // record mode; nil: same transaction
	close     []func()
}

// migrate makes all tables in an empty database.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if _, err := pgstore.Migrate(ctx, pool, ""); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, schema+naiveSchema); err != nil {
		return err
	}
	for name, cents := range accounts {
		if _, err := pool.Exec(ctx, "INSERT INTO accounts VALUES ($1, $2, $2)", name, cents); err != nil {
			return err
		}
	}
	return nil
}

// openPostgres is for production: effect, record and reply are one transaction.
func openPostgres(ctx context.Context, url string) (*bank, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	b := &bank{ledger: &pgLedger{pool: pool}, naive: &pgNaive{pool}, close: []func(){pool.Close}}
	transactor, err := pgstore.NewTransactor(ctx, pool, pgstore.TransactConfig{})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.executor, b.guarantee = transactor, transactor.Guarantee()
	b.close = append(b.close, func() { _ = transactor.Close(context.WithoutCancel(ctx)) })
	return b, nil
}

// openMemory is record mode on a store that forgets: good enough to look at, and for tests.
func openMemory(ctx context.Context) (*bank, error) {
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		return nil, err
	}
	l := &memLedger{books: statement{Accounts: map[string]account{}}}
	for name, cents := range accounts {
		l.books.Accounts[name] = account{Opening: cents, Cents: cents}
	}
	return &bank{
		executor: guard, guarantee: guard.Guarantee(), guard: guard, ledger: l, naive: &memNaive{ledger: l, replies: map[string]int64{}},
		close: []func(){func() { _ = guard.Close(context.WithoutCancel(ctx)) }},
	}, nil
}

// Close ends everything, the last first.
func (b *bank) Close() error {
	for i := len(b.close) - 1; i >= 0; i-- {
		b.close[i]()
	}
	return nil
}
