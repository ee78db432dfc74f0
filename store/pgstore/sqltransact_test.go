package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// strangers make pgx look like a driver that we do not know.
type strangers struct{ config pgx.ConnConfig }

func (s strangers) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := stdlib.GetConnector(s.config).Connect(ctx)
	if err != nil {
		return nil, err
	}
	return stranger{c.(*stdlib.Conn)}, nil
}

func (s strangers) Driver() driver.Driver { return nil }

type stranger struct{ *stdlib.Conn }

func (s stranger) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := s.Conn.ExecContext(ctx, query, args)
	return result, estranged(err)
}

func (s stranger) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.Conn.QueryContext(ctx, query, args)
	return strangeRows{rows}, estranged(err)
}

type strangeRows struct{ driver.Rows }

func (r strangeRows) Next(to []driver.Value) error { return estranged(r.Rows.Next(to)) }

// strangeError is an error of the server in the way of lib/pq.
type strangeError struct{ text, code, schema, table, constraint string }

func (e *strangeError) Error() string    { return e.text }
func (e *strangeError) SQLState() string { return e.code }
func (e *strangeError) Get(field byte) string {
	return map[byte]string{'s': e.schema, 't': e.table, 'n': e.constraint}[field]
}

func estranged(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return &strangeError{server.Message, server.Code, server.SchemaName, server.TableName, server.ConstraintName}
	}
	return err
}

// openSQL opens pools of database/sql on a pgx pool's database: by pgx, and by a driver that we do not know.
func openSQL(t *testing.T, pool *pgxpool.Pool) map[string]*sql.DB {
	t.Helper()
	config := *pool.Config().ConnConfig
	all := map[string]*sql.DB{"pgx": stdlib.OpenDB(config), "another driver": sql.OpenDB(strangers{config})}
	for _, db := range all {
		t.Cleanup(func() { db.Close() })
	}
	return all
}

func (b *bank) sqlTransactor(t *testing.T, db *sql.DB, c TransactConfig) *SQLTransactor {
	t.Helper()
	c.Schema, c.clock = b.schema, fmt.Sprintf(testClock, b.schema)
	x, err := NewSQLTransactor(t.Context(), db, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return x
}

// sqlTransfer is transfer in a round trip, for a driver without batches.
func (b *bank) sqlTransfer(ctx context.Context, q Querier, key onceward.Key) error {
	_, err := q.ExecContext(ctx, fmt.Sprintf(`UPDATE %[1]s.accounts SET balance = balance - 1 WHERE name = 'from 0'; UPDATE %[1]s.accounts SET balance = balance + 1 WHERE name = 'to 0';
		INSERT INTO %[1]s.ledger (key, amount) VALUES ('%[2]s', 1)`, b.schema, key.Text()))
	return err
}

func (b *bank) sqlPay(key onceward.Key, out onceward.Outcome) func(context.Context, Querier) onceward.Outcome {
	return func(ctx context.Context, q Querier) onceward.Outcome {
		if err := b.sqlTransfer(ctx, q, key); err != nil {
			return onceward.DoubtError(err)
		}
		return out
	}
}

// Each ending of a function, at each isolation level, and what it costs: one round trip more than the same transaction without deduplication, two for a Reject;
// no more on a new connection.
func TestSQLTransactFlights(t *testing.T) {
	db := serving(t)
	for _, isolation := range isolations {
		b := newBank(t, db)
		var flights pgtest.Flights
		config := *db.pool.Config().ConnConfig
		config.DialFunc = flights.Dial
		pool := stdlib.OpenDB(config)
		pool.SetMaxOpenConns(1)
		t.Cleanup(func() { pool.Close() })
		x := b.sqlTransactor(t, pool, TransactConfig{Isolation: isolation})
		var behind []func()
		x.behind = func(do func()) { behind = append(behind, do) }
		reply := onceward.Reply{Status: 1, Body: []byte("reply's \\ body")}
		again := 1
		if isolation != pgx.ReadCommitted {
			again = 2 + 1 // and the record is read again
		}
		for _, c := range []struct {
			name     string
			out      onceward.Outcome
			standing onceward.Standing
			replayed bool
			more     int
		}{
			{"save", onceward.Save(reply), onceward.Saved, true, 1},
			{"reject", onceward.Reject(reply), onceward.Saved, true, 2},
			{"free", onceward.Free(reply), onceward.Freed, false, again},
			{"doubt", onceward.Doubt(reply), onceward.Freed, false, again},
		} {
			key := keyOf(t, c.name)
			for n := range 2 {
				before := flights.Count()
				result, err := x.Transact(t.Context(), callOf(key), b.sqlPay(key, c.out))
				if err != nil || result.Standing != c.standing || string(result.Reply.Body) != string(reply.Body) || result.Replayed != (n == 1 && c.replayed) {
					t.Errorf("%s, %s, call %d: %v, %v", isolation, c.name, n+1, result, err)
				}
				want := 3 + c.more // BEGIN, transfer, COMMIT or ROLLBACK
				if result.Replayed {
					want = 2
				}
				if got := flights.Count() - before; got != want {
					t.Errorf("%s, %s, call %d: %d round trips, want %d", isolation, c.name, n+1, got, want)
				}
				for _, do := range behind {
					do()
				}
				behind = nil
			}
		}
		b.balance(t, "save")
	}
}

// What holds for pgx holds for database/sql, with a driver that tells the state of a transaction, and with one that does not.
func TestSQLTransactTraps(t *testing.T) {
	db := serving(t)
	for name, pool := range openSQL(t, db.pool) {
		t.Run(name, func(t *testing.T) {
			b := newBank(t, db)
			x := b.sqlTransactor(t, pool, TransactConfig{})
			raise := func(code string) string {
				return fmt.Sprintf("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '%s'; END $$", code)
			}
			save := onceward.Save(onceward.Reply{})
			for _, c := range []struct {
				name string
				do   string // once, after the transfer; its error is swallowed
				out  onceward.Outcome
				runs int
				is   error
			}{
				{"commit", "COMMIT", save, 1, ErrEnded},
				{"commit-free", "COMMIT", onceward.Free(onceward.Reply{}), 1, ErrEnded},
				{"commit-begin", "COMMIT; BEGIN", save, 1, ErrEnded},
				{"rollback-begin", "ROLLBACK; BEGIN", save, 1, ErrEnded},
				{"serialization", raise(serialization), save, 2, nil},
				{"deadlock", raise(deadlock), save, 2, nil},
				{"killed", "SELECT pg_terminate_backend(pg_backend_pid())", save, 2, nil},
				{"rejected", raise(uniqueViolation), onceward.Reject(onceward.Reply{}), 1, nil},
				{"freed", raise(uniqueViolation), onceward.Free(onceward.Reply{}), 1, nil},
			} {
				key, runs := keyOf(t, c.name), 0
				_, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, q Querier) onceward.Outcome {
					runs++
					out := b.sqlPay(key, c.out)(ctx, q)
					if runs == 1 {
						_, _ = q.ExecContext(ctx, c.do)
					}
					return out
				})
				if !errors.Is(err, c.is) || c.is == nil && err != nil || runs != c.runs {
					t.Errorf("%s: %v, %d runs", c.name, err, runs)
				}
				var paid []string
				if c.out.Ending == onceward.EndSave && c.is == nil || strings.HasPrefix(c.do, "COMMIT") {
					paid = append(paid, c.name)
				}
				b.balance(t, paid...)
				exec(t, db.owner, strings.ReplaceAll("DELETE FROM {s}.ledger; UPDATE {s}.accounts SET balance = 0", "{s}", b.schema))
				if c.is != nil {
					if _, err := x.Transact(t.Context(), callOf(key), b.sqlPay(key, save)); !errors.Is(err, onceward.ErrOutcomeUnknown) {
						t.Errorf("%s, then: %v", c.name, err)
					}
				}
			}
		})
	}
}

// A duplicate waits before it runs, in whatever way it comes.
func TestSQLTransactDuplicateWaits(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{})
	y := b.sqlTransactor(t, openSQL(t, db.pool)["pgx"], TransactConfig{})
	key := keyOf(t, "k")
	first, let := b.holding(t, x, key)
	second := inBackground(func() (onceward.Result, error) {
		return y.Transact(t.Context(), callOf(key), func(context.Context, Querier) onceward.Outcome {
			t.Error("the duplicate runs")
			return onceward.Outcome{}
		})
	})
	somebodyWaits(t, db)
	let()
	if r := <-first; r.err != nil {
		t.Error(r.err)
	}
	if r := <-second; r.err != nil || !r.Replayed || string(r.Reply.Body) != "paid k" {
		t.Errorf("%v, %v", r.Result, r.err)
	}
	b.balance(t, "k")
}

// What a function leaves open is closed, and nothing works outside of it.
func TestSQLTransactQuerier(t *testing.T) {
	db := serving(t)
	for name, pool := range openSQL(t, db.pool) {
		b := newBank(t, db)
		x := b.sqlTransactor(t, pool, TransactConfig{})
		var kept Querier
		for n, leave := range []func(ctx context.Context, q Querier){
			func(context.Context, Querier) {},
			func(ctx context.Context, q Querier) { _, _ = q.QueryContext(ctx, "SELECT generate_series(1, 100000)") },
			func(ctx context.Context, q Querier) { _ = q.QueryRowContext(ctx, "SELECT generate_series(1, 100000)") },
			func(ctx context.Context, q Querier) {
				s, err := q.PrepareContext(ctx, "SELECT $1::text")
				if err != nil {
					t.Error(err)
				}
				_, _ = s.ExecContext(ctx, "x")
			},
		} {
			key := keyOf(t, fmt.Sprint("k", n))
			if _, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, q Querier) onceward.Outcome {
				kept = q
				out := b.sqlPay(key, onceward.Save(onceward.Reply{}))(ctx, q)
				leave(ctx, q)
				return out
			}); err != nil {
				t.Errorf("%s, %d: %v", name, n, err)
			}
		}
		b.balance(t, "k0", "k1", "k2", "k3")
		for when, q := range map[string]Querier{"after": kept, "outside": SQL(t.Context())} {
			_, execs := q.ExecContext(t.Context(), "SELECT")
			_, query := q.QueryContext(t.Context(), "SELECT")
			_, prepare := q.PrepareContext(t.Context(), "SELECT")
			for what, err := range map[string]error{"Exec": execs, "Query": query, "Prepare": prepare, "QueryRow": q.QueryRowContext(t.Context(), "SELECT").Scan()} {
				if !errors.Is(err, onceward.ErrNoAttempt) {
					t.Errorf("%s %s: %v", when, what, err)
				}
			}
		}
	}
}

// The answer to a COMMIT is lost, over database/sql.
func TestSQLTransactCommitCut(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	for n, f := range []fate{cutAfter, cutBefore} {
		_, pool := newWire(t, db.pool, 1, func() fate { return f })
		through := stdlib.OpenDB(*pool.Config().ConnConfig)
		t.Cleanup(func() { through.Close() })
		x := b.sqlTransactor(t, through, TransactConfig{Attempts: 1})
		key := keyOf(t, fmt.Sprint("k", n))
		result, err := x.Transact(t.Context(), callOf(key), b.sqlPay(key, onceward.Save(onceward.Reply{Status: 1})))
		if f == cutAfter && (err != nil || result.Replayed || result.Reply.Status != 1) || f == cutBefore && !errors.Is(err, onceward.ErrStoreUnavailable) {
			t.Errorf("%v: %v, %v", f, result, err)
		}
	}
	b.balance(t, "k0")
}
