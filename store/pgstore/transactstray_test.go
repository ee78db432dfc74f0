package pgstore

import (
	"context"
	"database/sql/driver"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/onceward/onceward"
)

// halfway is an argument that holds its statement up when it is on its way to the connection.
type halfway struct{ at, on chan struct{} }

// RewriteQuery is asked by pgx before it sends anything.
func (h halfway) RewriteQuery(_ context.Context, _ *pgx.Conn, sql string, _ []any) (string, []any, error) {
	close(h.at)
	<-h.on
	return sql, nil, nil
}

// Value is asked by database/sql, likewise.
func (h halfway) Value() (driver.Value, error) {
	close(h.at)
	<-h.on
	return int64(1), nil
}

// What a function has left behind on its way to the connection cannot get into the next one's transaction, nor commit by itself.
func TestTransactStray(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	pool := open(t, db.pool.Config().ConnString()+"&pool_max_conns=1")
	x := b.transactor(t, pool, TransactConfig{})
	h, stray, runs := halfway{make(chan struct{}), make(chan struct{})}, make(chan error, 1), 0
	first, second := keyOf(t, "first"), keyOf(t, "second")
	if result, err := x.Transact(t.Context(), callOf(first), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		out := b.pay(first)(ctx, tx)
		if runs++; runs == 1 {
			go func() {
				_, err := tx.Exec(context.WithoutCancel(ctx), "INSERT INTO "+b.schema+".ledger (key, amount) VALUES ('stray', 1)", h)
				stray <- err
			}()
			<-h.at
		}
		return out
	}); err != nil || runs != 2 { // the first is undone: its transaction was in use when it ended
		t.Errorf("%v, %v, %d runs", result, err, runs)
	}
	if _, err := x.Transact(t.Context(), callOf(second), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		out := b.pay(second)(ctx, tx)
		close(h.on)
		if err := <-stray; err == nil {
			t.Error("the stray got through")
		}
		return out
	}); err != nil {
		t.Error(err)
	}
	b.balance(t, "first", "second")
}

// Nor does who still reads take from the connection what is not for him.
func TestTransactStrayReads(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	r := newRival(t, db, db.again(t, b.schema))
	r.do("SELECT pg_advisory_xact_lock(1, 1)")
	x := b.transactor(t, db.pool, TransactConfig{HandlerLimit: time.Second})
	key, runs, ended := keyOf(t, "k"), 0, make(chan struct{})
	result, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		out := b.pay(key)(ctx, tx)
		if runs++; runs > 1 {
			return out
		}
		rows, err := tx.Query(ctx, "SELECT repeat('x', 20000), CASE n WHEN 3 THEN pg_advisory_xact_lock(1, 1) IS NULL END FROM generate_series(1, 3) n")
		if err != nil {
			t.Error(err)
		}
		go func() {
			defer close(ended)
			for rows.Next() {
			}
			if rows.Err() == nil {
				t.Error("it has read all rows")
			}
			r.commit()
		}()
		eventually(t, db, "it reads", "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND (classid, objid, objsubid) = (1, 1, 2) AND NOT granted)")
		for reads := false; !reads; runtime.Gosched() {
			reads = inUse(ctx)
		}
		return out
	})
	<-ended
	if err != nil || runs != 2 {
		t.Errorf("%v, %v, %d runs", result, err, runs)
	}
	b.balance(t, "k")
}

// The same by database/sql.
func TestSQLTransactStray(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	pool := stdlib.OpenDB(*db.pool.Config().ConnConfig)
	defer pool.Close()
	x := b.sqlTransactor(t, pool, TransactConfig{Attempts: 1})
	h, stray := halfway{make(chan struct{}), make(chan struct{})}, make(chan error, 1)
	first, second := keyOf(t, "first"), keyOf(t, "second")
	away := inBackground(func() (onceward.Result, error) {
		return x.Transact(t.Context(), callOf(first), func(ctx context.Context, q Querier) onceward.Outcome {
			out := b.sqlPay(first, onceward.Save(onceward.Reply{}))(ctx, q)
			go func() {
				_, err := q.ExecContext(context.WithoutCancel(ctx), "INSERT INTO "+b.schema+".ledger (key, amount) VALUES ('stray', $1)", h)
				stray <- err
			}()
			<-h.at
			return out
		})
	})
	close(h.on)
	<-stray // in its own transaction, if it was in time
	r := <-away
	if _, err := x.Transact(t.Context(), callOf(second), b.sqlPay(second, onceward.Save(onceward.Reply{}))); err != nil {
		t.Error(err)
	}
	want := 1 // of the stray, if its transaction is the one that was saved
	if r.err != nil {
		want = 0
	}
	if n := b.entries(t, keyOf(t, "stray")); n != want {
		t.Errorf("%d entries of the stray; the first: %v, %v", n, r.Result, r.err)
	}
}

// inUse says whether somebody is on the way to the connection.
func inUse(ctx context.Context) bool {
	g := &Tx(ctx).(*tx).run.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.uses > 0
}
