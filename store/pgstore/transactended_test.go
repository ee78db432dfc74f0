package pgstore

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore/pgtest"
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

// The COMMIT of a function hands the lock to a waiter. The record is marked all the same while the waiter runs, and the waiter is undone.
func TestTransactCommitMeetsAWaiter(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	y := b.transactor(t, db.pool, TransactConfig{Wait: time.Minute})
	for way, transact := range b.ways(t) {
		key, marked := keyOf(t, way), make(chan struct{})
		var second <-chan told
		_, err := transact(key, func(exec func(string) error) onceward.Outcome {
			if err := exec("INSERT INTO " + b.schema + ".ledger (key, amount) VALUES ('" + key.Text() + "', 0)"); err != nil {
				t.Error(err)
			}
			second = inBackground(func() (onceward.Result, error) {
				return y.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
					<-marked
					return b.pay(key)(ctx, tx)
				})
			})
			somebodyWaits(t, db)
			if err := exec("COMMIT"); err != nil {
				t.Error(err)
			}
			return onceward.Save(onceward.Reply{})
		})
		close(marked)
		if !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v", way, err)
		}
		if r := <-second; !errors.Is(r.err, onceward.ErrOutcomeUnknown) {
			t.Errorf("%s, the waiter: %v, %v", way, r.Result, r.err)
		}
		if n := b.entries(t, key); n != 1 {
			t.Errorf("%s: %d effects", way, n)
		}
	}
}

// lapsedClaim is what record mode has left of an operation, and its lease is over.
func lapsedClaim(t *testing.T, s *Store, key onceward.Key) {
	t.Helper()
	q := claimOf(callOf(key).Scope.Identity(key), tokenOf(9))
	q.Fingerprints, q.Start = callOf(key).Fingerprint.Versions(), false
	a, err := s.Claim(t.Context(), q)
	want(t, a, err, store.Granted)
	move(t, s, 2*time.Hour)
}

// A lapsed claim that record mode has left is marked as unknown, as an absent record is.
func TestTransactCommitOverALapsedClaim(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	s := db.again(t, b.schema)
	for way, transact := range b.ways(t) {
		key := keyOf(t, way)
		lapsedClaim(t, s, key)
		for i, is := range []error{ErrEnded, onceward.ErrOutcomeUnknown} {
			if _, err := transact(key, func(exec func(string) error) onceward.Outcome {
				if i > 0 {
					t.Error("it runs again")
				}
				if err := exec("COMMIT"); err != nil {
					t.Error(err)
				}
				return onceward.Save(onceward.Reply{})
			}); !errors.Is(err, is) {
				t.Errorf("%s: %v", way, err)
			}
		}
		if n := b.records(t, "state = 2 AND key = '"+way+"'"); n != 1 {
			t.Errorf("%s: %d open records", way, n)
		}
	}
}

// A prepared transaction keeps the lock, for as long as it likes. Its operation is held as unknown, at once.
func TestTransactPrepares(t *testing.T) {
	server := pgtest.Own(t, pgtest.Config{})
	pool := open(t, server.URL("postgres"))
	exec(t, pool, "ALTER SYSTEM SET max_prepared_transactions = 5")
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool.Reset()
	b := newBank(t, tables{pool, pool})
	x := b.transactor(t, pool, TransactConfig{Wait: time.Millisecond})
	key := keyOf(t, "k")
	if _, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		if err := b.transfer(ctx, tx, key, 1); err != nil {
			t.Error(err)
		}
		if _, err := tx.Exec(ctx, "PREPARE TRANSACTION 'p'"); err != nil {
			t.Error(err)
		}
		return onceward.Save(onceward.Reply{})
	}); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
	if n := b.records(t, "state = 2"); n != 1 {
		t.Errorf("%d open records", n)
	}
	if result, err := x.Transact(t.Context(), callOf(key), b.pay(key)); !errors.Is(err, onceward.ErrInProgress) {
		t.Errorf("while it is prepared: %v, %v", result, err)
	}
	exec(t, pool, "COMMIT PREPARED 'p'")
	if result, err := x.Transact(t.Context(), callOf(key), b.pay(key)); !errors.Is(err, onceward.ErrOutcomeUnknown) {
		t.Errorf("then: %v, %v", result, err)
	}
	b.balance(t, "k")
}

// A record comes back in binary, however the session would write bytes, and whatever is in the reply.
func TestTransactForeignByteaOutput(t *testing.T) {
	db := ownDatabase(t)
	exec(t, db.owner, "ALTER DATABASE "+database(db.owner)+" SET bytea_output = 'escape'")
	b := newBank(t, db)
	key, body := keyOf(t, "k"), make([]byte, 100_000)
	for i := range body {
		body[i] = byte(i)
	}
	x := b.transactor(t, open(t, db.pool.Config().ConnString()), TransactConfig{})
	for _, replayed := range []bool{false, true} {
		result, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			if err := b.transfer(ctx, tx, key, 1); err != nil {
				return onceward.DoubtError(err)
			}
			return onceward.Save(onceward.Reply{Body: body})
		})
		if err != nil || result.Replayed != replayed || !bytes.Equal(result.Reply.Body, body) {
			t.Errorf("replayed %v: %v, %d bytes, %v", replayed, result.Replayed, len(result.Reply.Body), err)
		}
	}
	b.balance(t, "k")
}
