package pgorm

import (
	"context"
	"database/sql"

	"github.com/onceward/onceward/compat/pgorm/sqlcpgx"
	"github.com/onceward/onceward/compat/pgorm/sqlcsql"
	"github.com/onceward/onceward/store/pgstore"
)

var sqlcPGX = library{
	name: "sqlc-pgx",
	exec: pgxExecutor,
	transfer: func(ctx context.Context, wish transfer) (int64, error) {
		q := sqlcpgx.New(nil).WithTx(pgstore.Tx(ctx)) // the program's queries are on its pool
		id, err := q.CreateTransfer(ctx, sqlcpgx.CreateTransferParams{Payer: payer, Payee: payee, Amount: wish.Amount})
		if err != nil {
			return 0, err
		}
		if err := q.AddToAccount(ctx, sqlcpgx.AddToAccountParams{Amount: -wish.Amount, Name: payer}); err != nil {
			return 0, err
		}
		if err := q.AddToAccount(ctx, sqlcpgx.AddToAccountParams{Amount: wish.Amount, Name: payee}); err != nil {
			return 0, err
		}
		_, err = q.ListBalances(ctx)
		return id, err
	},
	escape: func(ctx context.Context) (ways []string) {
		ways = notRefused(ways, "Commit", pgstore.Tx(ctx).Commit(ctx))
		ways = notRefused(ways, "Rollback", pgstore.Tx(ctx).Rollback(ctx))
		if pgstore.Tx(ctx).Conn() != nil {
			ways = append(ways, "Conn")
		}
		return ways
	},
}

var sqlcSQL = library{
	name: "sqlc-database-sql",
	exec: sqlExecutor,
	transfer: func(ctx context.Context, wish transfer) (int64, error) {
		q := sqlcsql.New(pgstore.SQL(ctx))
		id, err := q.CreateTransfer(ctx, sqlcsql.CreateTransferParams{Payer: payer, Payee: payee, Amount: wish.Amount})
		if err != nil {
			return 0, err
		}
		if err := q.AddToAccount(ctx, sqlcsql.AddToAccountParams{Amount: -wish.Amount, Name: payer}); err != nil {
			return 0, err
		}
		if err := q.AddToAccount(ctx, sqlcsql.AddToAccountParams{Amount: wish.Amount, Name: payee}); err != nil {
			return 0, err
		}
		_, err = q.ListBalances(ctx)
		return id, err
	},
	escape: func(ctx context.Context) []string { return canEnd(nil, pgstore.SQL(ctx)) },
}

// canEnd adds each way in which q could end a transaction, or get round it.
func canEnd(ways []string, q any) []string {
	if _, ok := q.(interface{ Commit() error }); ok {
		ways = append(ways, "Commit")
	}
	if _, ok := q.(interface {
		BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
	}); ok {
		ways = append(ways, "BeginTx")
	}
	if _, ok := q.(interface {
		Conn(context.Context) (*sql.Conn, error)
	}); ok {
		ways = append(ways, "Conn")
	}
	return ways
}
