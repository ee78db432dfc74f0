package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// accounts are many enough that callers seldom meet at one.
const accounts = 10_000

const tables = `CREATE TABLE accounts (id int PRIMARY KEY, cents bigint NOT NULL) WITH (fillfactor = 50);
INSERT INTO accounts SELECT n, 0 FROM generate_series(0, %d) n;
CREATE TABLE ledger (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int NOT NULL, cents bigint NOT NULL, note bytea NOT NULL);
CREATE TABLE requests (key text PRIMARY KEY, state text NOT NULL, reply bytea, at timestamptz NOT NULL DEFAULT now())`

var (
	note  = bytes.Repeat([]byte("n"), 256)
	reply = bytes.Repeat([]byte("r"), 1024)
)

// order is one operation.
type order struct {
	key     string
	account int
}

// work is what the business does, in two statements.
func work(ctx context.Context, tx pgx.Tx, o order) error {
	if _, err := tx.Exec(ctx, "UPDATE accounts SET cents = cents - 100 WHERE id = $1", o.account); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO ledger (account, cents, note) VALUES ($1, -100, $2)", o.account, note)
	return err
}

// bare is the work in a transaction, without deduplication.
func bare(ctx context.Context, pool *pgxpool.Pool, o order) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return work(ctx, tx, o) })
}

// naive is the order that is written by hand: look, claim, work, save. Each step commits, and what happens between two of them is lost.
func naive(ctx context.Context, pool *pgxpool.Pool, o order) error {
	var state string
	var saved []byte
	switch err := pool.QueryRow(ctx, "SELECT state, reply FROM requests WHERE key = $1", o.key).Scan(&state, &saved); {
	case err == nil:
		return nil // a replay, or somebody is at work
	case !errors.Is(err, pgx.ErrNoRows):
		return err
	}
	if _, err := pool.Exec(ctx, "INSERT INTO requests (key, state) VALUES ($1, 'working')", o.key); err != nil {
		return err
	}
	if err := bare(ctx, pool, o); err != nil {
		return err
	}
	_, err := pool.Exec(ctx, "UPDATE requests SET state = 'done', reply = $2 WHERE key = $1", o.key, reply)
	return err
}

// counted fails unless every table has what so many operations have made.
func counted(ctx context.Context, pool *pgxpool.Pool, wanted int64) error {
	var entries, cents int64
	if err := pool.QueryRow(ctx, "SELECT (SELECT count(*) FROM ledger), (SELECT sum(cents) FROM accounts)::bigint").Scan(&entries, &cents); err != nil {
		return err
	}
	if entries != wanted || cents != -100*wanted {
		return fmt.Errorf("the ledger has %d entries and the accounts %d cents, want %d and %d", entries, cents, wanted, -100*wanted)
	}
	return nil
}

func makeTables(ctx context.Context, pool *pgxpool.Pool) error {
	for statement := range strings.SplitSeq(fmt.Sprintf(tables, accounts-1), ";") {
		if _, err := pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
