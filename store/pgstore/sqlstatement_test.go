package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

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

// A serialization failure that comes while a function reads, and that it keeps to itself, is no reason to remember its answer: it runs again.
func TestSQLTransactFailsWhileReading(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	exec(t, db.owner, "CREATE FUNCTION "+b.schema+`.late(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
		IF n > 10000 THEN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END IF;
		RETURN n; END $$`)
	for name, pool := range openSQL(t, db.pool) {
		x := b.sqlTransactor(t, pool, TransactConfig{})
		for n, read := range []func(*sql.Rows){func(rows *sql.Rows) {
			for rows.Next() {
			}
		}, func(*sql.Rows) {}} {
			runs := 0
			result, err := x.Transact(t.Context(), callOf(keyOf(t, fmt.Sprint(name[:3], n))), func(ctx context.Context, q Querier) onceward.Outcome {
				if runs++; runs > 1 {
					return onceward.Save(onceward.Reply{Status: 200})
				}
				rows, err := q.QueryContext(ctx, "SELECT "+b.schema+".late(n) FROM generate_series(1, 20000) n")
				if err != nil {
					t.Fatal(err)
				}
				read(rows)
				return onceward.Reject(onceward.Reply{Status: 404})
			})
			if err != nil || result.Reply.Status != 200 || runs != 2 {
				t.Errorf("%s, %d: %v, %v, %d runs", name, n, result, err, runs)
			}
		}
	}
}

// bomb is an argument that panics when it is asked for its value. database/sql then never gives the connection back.
type bomb struct{}

func (bomb) Value() (driver.Value, error) { panic("bomb") }

// A panic in the argument of a query goes on to the caller, and the key is free.
func TestSQLTransactPanicInAQuery(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	for name, query := range map[string]func(context.Context, Querier){
		"rows": func(ctx context.Context, q Querier) { _, _ = q.QueryContext(ctx, "SELECT $1::text", bomb{}) },
		"row":  func(ctx context.Context, q Querier) { _ = q.QueryRowContext(ctx, "SELECT $1::text", bomb{}) },
	} {
		pool := stdlib.OpenDB(*db.pool.Config().ConnConfig)
		t.Cleanup(func() { _ = pool.Close() })
		x, err := NewSQLTransactor(t.Context(), pool, TransactConfig{Schema: b.schema, clock: fmt.Sprintf(testClock, b.schema), MaintainEvery: onceward.NoMaintenance})
		if err != nil {
			t.Fatal(err)
		}
		key, gone := keyOf(t, name), make(chan any)
		go func() {
			defer func() { gone <- recover() }()
			_, _ = x.Transact(t.Context(), callOf(key), func(ctx context.Context, q Querier) onceward.Outcome {
				query(ctx, q)
				return onceward.Outcome{}
			})
		}()
		select {
		case p := <-gone:
			if p != "bomb" {
				t.Errorf("%s: %v", name, p)
			}
		case <-time.After(2 * time.Second):
			t.Fatalf("%s: the call does not end", name)
		}
		if _, err := x.Transact(t.Context(), callOf(key), b.sqlPay(key, onceward.Save(onceward.Reply{}))); err != nil {
			t.Errorf("%s, again: %v", name, err)
		}
		exec(t, db.owner, "DELETE FROM "+b.schema+".records")
	}
}
