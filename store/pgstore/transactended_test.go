package pgstore

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
)

// transacts is a way to transact whose function only sends texts.
type transacts func(key onceward.Key, fn func(exec func(sql string) error) onceward.Outcome) (onceward.Result, error)

// ways are all transactors on the bank's tables, by driver.
func (b *bank) ways(t *testing.T) map[string]transacts {
	x := b.transactor(t, b.pool, TransactConfig{})
	ways := map[string]transacts{"own": func(key onceward.Key, fn func(func(string) error) onceward.Outcome) (onceward.Result, error) {
		return x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			return fn(func(sql string) error {
				_, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
				return err
			})
		})
	}}
	for name, db := range openSQL(t, b.pool) {
		x := b.sqlTransactor(t, db, TransactConfig{})
		ways[name[:3]] = func(key onceward.Key, fn func(func(string) error) onceward.Outcome) (onceward.Result, error) {
			return x.Transact(t.Context(), callOf(key), func(ctx context.Context, q Querier) onceward.Outcome {
				return fn(func(sql string) error {
					_, err := q.ExecContext(ctx, sql)
					return err
				})
			})
		}
	}
	return ways
}

// entries is how often a key has been paid.
func (b *bank) entries(t testing.TB, key onceward.Key) (n int) {
	t.Helper()
	if err := b.owner.QueryRow(t.Context(), "SELECT count(*) FROM "+b.schema+".ledger WHERE key = $1", key.Text()).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A function that has committed by itself is found out also if what came behind its COMMIT was aborted, or lost with the connection.
func TestTransactCommitThenError(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	aborted, lost := []string{"COMMIT; BEGIN", "SELECT 1/0"}, []string{"COMMIT", "SELECT pg_terminate_backend(pg_backend_pid())"}
	for way, transact := range b.ways(t) {
		for _, c := range []struct {
			name  string
			texts []string
			out   onceward.Outcome
		}{
			{"aborted-save", aborted, onceward.Save(onceward.Reply{})},
			{"aborted-reject", aborted, onceward.Reject(onceward.Reply{Status: 409})},
			{"aborted-free", aborted, onceward.Free(onceward.Reply{})},
			{"aborted-doubt", aborted, onceward.DoubtError(errors.New("x"))},
			{"lost-save", lost, onceward.Save(onceward.Reply{})},
			{"lost-reject", lost, onceward.Reject(onceward.Reply{Status: 409})},
			{"lost-free", lost, onceward.Free(onceward.Reply{})},
		} {
			key, runs := keyOf(t, way+"-"+c.name), 0
			do := func() (onceward.Result, error) {
				return transact(key, func(exec func(string) error) onceward.Outcome {
					runs++
					if err := exec("INSERT INTO " + b.schema + ".ledger (key, amount) VALUES ('" + key.Text() + "', 0)"); err != nil {
						t.Error(err)
					}
					for _, text := range c.texts {
						_ = exec(text)
					}
					return c.out
				})
			}
			if result, err := do(); !errors.Is(err, ErrEnded) || !errors.Is(err, onceward.ErrOutcomeUnknown) {
				t.Errorf("%s: %v, %v", key.Text(), result, err)
			}
			if result, err := do(); !errors.Is(err, onceward.ErrOutcomeUnknown) || errors.Is(err, ErrEnded) {
				t.Errorf("%s, again: %v, %v", key.Text(), result, err)
			}
			if n := b.entries(t, key); n != 1 || runs != 1 {
				t.Errorf("%s: %d effects of %d runs", key.Text(), n, runs)
			}
		}
	}
}

// PostgreSQL lets go of the lock as soon as a transaction is aborted. What a duplicate has done from then on is the answer, whatever the function says.
func TestTransactAbortedLosesTheLock(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	y := b.transactor(t, db.pool, TransactConfig{})
	var paid []string
	for way, transact := range b.ways(t) {
		for name, out := range map[string]onceward.Outcome{
			"doubt": onceward.DoubtError(errors.New("x")), "free": onceward.Free(onceward.Reply{}), "reject": onceward.Reject(onceward.Reply{Status: 409}),
			"save": onceward.Save(onceward.Reply{}),
		} {
			key := keyOf(t, way+"-"+name)
			paid = append(paid, key.Text())
			result, err := transact(key, func(exec func(string) error) onceward.Outcome {
				if exec("SELECT 1/0") == nil {
					t.Error("not aborted")
				}
				if r, err := y.Transact(t.Context(), callOf(key), b.pay(key)); err != nil || r.Replayed {
					t.Errorf("the duplicate: %v, %v", r, err)
				}
				return out
			})
			if err != nil || !result.Replayed || result.Reply.Status != 201 {
				t.Errorf("%s: %v, %v", key.Text(), result, err)
			}
		}
	}
	b.balance(t, paid...)
}

// No setting of a session makes what our own statements answer unreadable.
func TestTransactForeignDateStyle(t *testing.T) {
	db := ownDatabase(t)
	exec(t, db.owner, "ALTER DATABASE "+database(db.owner)+" SET datestyle = 'SQL, DMY'")
	b := newBank(t, db)
	for _, mode := range []string{"cache_statement", "simple_protocol", "exec"} {
		key := keyOf(t, mode)
		pool := open(t, db.pool.Config().ConnString()+"&default_query_exec_mode="+mode)
		if result, err := b.transactor(t, pool, TransactConfig{}).Transact(t.Context(), callOf(key), b.pay(key)); err != nil {
			t.Errorf("%s: %v, %v", mode, result, err)
		}
	}
	b.balance(t, "cache_statement", "simple_protocol", "exec")
}
