package sqlcsql

import "context"

const addToAccount = `UPDATE accounts SET balance = balance + $1 WHERE name = $2`

// AddToAccountParams are the parameters of AddToAccount.
type AddToAccountParams struct {
	Amount int64
	Name   string
}

// AddToAccount changes an account's balance.
func (q *Queries) AddToAccount(ctx context.Context, arg AddToAccountParams) error {
	_, err := q.db.ExecContext(ctx, addToAccount, arg.Amount, arg.Name)
	return err
}

const createTransfer = `INSERT INTO transfers (payer, payee, amount) VALUES ($1, $2, $3) RETURNING id`

// CreateTransferParams are the parameters of CreateTransfer.
type CreateTransferParams struct {
	Payer, Payee string
	Amount       int64
}

// CreateTransfer returns the id of a new transfer.
func (q *Queries) CreateTransfer(ctx context.Context, arg CreateTransferParams) (int64, error) {
	row := q.db.QueryRowContext(ctx, createTransfer, arg.Payer, arg.Payee, arg.Amount)
	var id int64
	err := row.Scan(&id)
	return id, err
}

const listBalances = `SELECT balance FROM accounts ORDER BY name`

// ListBalances returns the balances, by the accounts' names.
func (q *Queries) ListBalances(ctx context.Context) ([]int64, error) {
	rows, err := q.db.QueryContext(ctx, listBalances)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var balances []int64
	for rows.Next() {
		var balance int64
		if err := rows.Scan(&balance); err != nil {
			return nil, err
		}
		balances = append(balances, balance)
	}
	return balances, rows.Err()
}
