package main

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// statement reads all three tables in one snapshot.
func (l *pgLedger) statement(ctx context.Context) (s statement, err error) {
	err = pgx.BeginTxFunc(ctx, l.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		s.Accounts = map[string]account{}
		rows, _ := tx.Query(ctx, "SELECT name, opening, cents FROM accounts") // an error is the rows'
		var name string
		var a account
		if _, err := pgx.ForEachRow(rows, []any{&name, &a.Opening, &a.Cents}, func() error { s.Accounts[name] = a; return nil }); err != nil {
			return err
		}
		rows, _ = tx.Query(ctx, "SELECT debit, credit, cents, reference FROM bookings ORDER BY id")
		if s.Bookings, err = pgx.CollectRows(rows, pgx.RowToStructByPos[booking]); err != nil {
			return err
		}
		rows, _ = tx.Query(ctx, "SELECT id, key, account, beneficiary, cents, reference, state, tries FROM payouts ORDER BY id")
		s.Payouts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[payout])
		return err
	})
	return s, err
}
