package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/pgstore"
)

// pgLedger is the ledger in PostgreSQL. What handlers call works in pgstore.Tx: it is committed together with the record and the reply, or not at all.
type pgLedger struct {
	pool  *pgxpool.Pool
	again time.Duration // how long a payout that somebody tries is left to him
}

func (l *pgLedger) transfer(ctx context.Context, o order) (int64, error) {
	return book(ctx, pgstore.Tx(ctx), booking{Debit: o.From, Credit: o.To, Cents: o.Cents, Reference: o.Reference})
}

func (l *pgLedger) payOut(ctx context.Context, o order, key onceward.Key) (id int64, err error) {
	tx := pgstore.Tx(ctx)
	if _, err := book(ctx, tx, booking{Debit: o.From, Credit: inTransit, Cents: o.Cents, Reference: o.Reference}); err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, "INSERT INTO payouts (key, account, beneficiary, cents, reference) VALUES ($1, $2, $3, $4, $5) RETURNING id",
		key.Text(), o.From, o.To, o.Cents, o.Reference).Scan(&id)
	return id, err
}

// move locks both accounts in the order of their names: of two transfers in opposite directions neither waits for the other for ever.
const move = `
WITH pair AS (SELECT name FROM accounts WHERE name IN ($1, $2) ORDER BY name FOR NO KEY UPDATE)
UPDATE accounts a SET cents = a.cents + CASE a.name WHEN $1 THEN -$3::bigint ELSE $3::bigint END FROM pair WHERE a.name = pair.name`

// book writes one movement of money. The constraints of the tables refuse what must not be; tx is then good for nothing but a rollback.
func book(ctx context.Context, tx pgx.Tx, b booking) (id int64, err error) {
	err = tx.QueryRow(ctx, "INSERT INTO bookings (debit, credit, cents, reference) VALUES ($1, $2, $3, $4) RETURNING id",
		b.Debit, b.Credit, b.Cents, b.Reference).Scan(&id)
	if err == nil {
		_, err = tx.Exec(ctx, move, b.Debit, b.Credit, b.Cents)
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.ConstraintName {
		case "bookings_debit_fkey", "bookings_credit_fkey":
			return 0, errNoAccount
		case "accounts_cents_check":
			return 0, errNoFunds
		}
	}
	return id, err
}

// due leases a payout. If its worker dies, another one tries it later. That two try it at once is possible, and harmless: they send the same key.
func (l *pgLedger) due(ctx context.Context) (p payout, ok bool, err error) {
	err = l.pool.QueryRow(ctx, `
UPDATE payouts SET tries = tries + 1, due = clock_timestamp() + $1
WHERE id = (SELECT id FROM payouts WHERE state = 'pending' AND due <= clock_timestamp() ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, key, account, beneficiary, cents, reference, state, tries`, l.again).
		Scan(&p.ID, &p.Key, &p.Account, &p.To, &p.Cents, &p.Reference, &p.State, &p.Tries)
	if errors.Is(err, pgx.ErrNoRows) {
		return payout{}, false, nil
	}
	return p, err == nil, err
}

func (l *pgLedger) settle(ctx context.Context, p payout, s settlement) error {
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE payouts SET state = $2, payment = $3 WHERE id = $1 AND state = 'pending'", p.ID, s.State, s.Payment)
		if err != nil || tag.RowsAffected() == 0 || s.State != declined {
			return err
		}
		_, err = book(ctx, tx, p.returned())
		return err
	})
}
