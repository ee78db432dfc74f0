package pgstore

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/onceward/onceward"
)

// A statement that a function has prepared ends with it. Otherwise whoever the function has left behind could write behind its COMMIT or ROLLBACK.
func TestSQLTransactStatementEnds(t *testing.T) {
	db := serving(t)
	for name, pool := range openSQL(t, db.pool) {
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := &sqlSession{link: &sqlLink{}, conn: conn, tx: &sqlRun{conn: conn}, values: t.Context()}
		ctx := s.context(t.Context())
		kept, err := SQL(ctx).PrepareContext(ctx, "SELECT")
		if err == nil {
			_, err = kept.ExecContext(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.end()
		if _, err = kept.ExecContext(t.Context()); err == nil {
			t.Errorf("%s: the statement outlives its function", name)
		}
		s.drop()
	}
}

// Rows of such a statement that a function forgets to close keep the connection from nobody: the run is undone, and the next one gets another connection.
func TestSQLTransactRowsOfAStatementLeftOpen(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	pools := openSQL(t, db.pool)
	for _, c := range []struct {
		name, driver string
		under        func(context.Context) context.Context
	}{
		{"pgx", "pgx", func(ctx context.Context) context.Context { return ctx }},
		{"another", "another driver", func(ctx context.Context) context.Context { return ctx }},
		{"detached", "pgx", context.WithoutCancel},
	} {
		x := b.sqlTransactor(t, pools[c.driver], TransactConfig{HandlerLimit: 2 * time.Second})
		key, runs := keyOf(t, c.name), 0
		var rows *sql.Rows
		away := inBackground(func() (onceward.Result, error) {
			return x.Transact(t.Context(), callOf(key), func(ctx context.Context, q Querier) onceward.Outcome {
				out := b.sqlPay(key, onceward.Save(onceward.Reply{}))(ctx, q)
				if runs++; runs == 1 {
					statement, err := q.PrepareContext(ctx, "SELECT generate_series(1, 100000)")
					if err == nil {
						rows, err = statement.QueryContext(c.under(ctx))
					}
					if err != nil {
						t.Error(err)
					}
				}
				return out
			})
		})
		late := time.AfterFunc(2*time.Second, func() { _ = rows.Close() })
		r := <-away
		if !late.Stop() || r.err != nil || runs != 2 {
			t.Errorf("%s: %v, %v, %d runs", c.name, r.Result, r.err, runs)
		}
		_ = rows.Close()
		b.balance(t, c.name)
		exec(t, db.owner, "DELETE FROM "+b.schema+".ledger; UPDATE "+b.schema+".accounts SET balance = 0")
	}
}
