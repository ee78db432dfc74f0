package pgorm

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/pgstore"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// A library is one way to write to the database. Its functions are called within guarded handlers, and, to be refused, outside of them.
type library struct {
	name     string
	exec     func(*testing.T, *database) onceward.Executor
	transfer func(context.Context, transfer) (int64, error) // moves the money, and returns the new transfer's id
	// escape tries to commit what the handler has written by all means that the library offers. It returns those that were not refused.
	escape func(context.Context) []string
	// check, if there is one, checks after each case what else belongs to a transfer, and removes it.
	check func(*testing.T, *database)
}

// A transfer is what clients ask for.
type transfer struct {
	Amount int64
	Do     string // how the handler ends after the transfer; default: it answers 201
}

const (
	payer, payee = "alice", "bob"
	opening      = 100 // on alice's account; bob has nothing
)

// database has the business's tables and ours.
type database struct {
	pool *pgxpool.Pool
	sql  *sql.DB
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.Shared(t).MustDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { _ = db.Close() })
	if _, err := pgstore.Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"CREATE TABLE accounts (name text PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0))",
		"CREATE TABLE transfers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payer text NOT NULL REFERENCES accounts, payee text NOT NULL REFERENCES accounts, amount bigint NOT NULL)",
		fmt.Sprintf("INSERT INTO accounts VALUES ('%s', %d), ('%s', 0)", payer, opening, payee),
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return &database{pool, db}
}

// pgxExecutor and sqlExecutor are the two transactors.
func pgxExecutor(t *testing.T, db *database) onceward.Executor {
	t.Helper()
	x, err := pgstore.NewTransactor(t.Context(), db.pool, pgstore.TransactConfig{})
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

func sqlExecutor(t *testing.T, db *database) onceward.Executor {
	t.Helper()
	x, err := pgstore.NewSQLTransactor(t.Context(), db.sql, pgstore.TransactConfig{})
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

// reset takes every transfer and record away.
func (db *database) reset(t *testing.T) {
	t.Helper()
	for _, statement := range []string{
		"DELETE FROM transfers", "DELETE FROM onceward.records",
		fmt.Sprintf("UPDATE accounts SET balance = CASE name WHEN '%s' THEN %d ELSE 0 END", payer, opening),
	} {
		if _, err := db.pool.Exec(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// wantMoved checks that these amounts were moved, no more and no less, in the balances as in the transfers.
func (db *database) wantMoved(t *testing.T, amounts ...int64) {
	t.Helper()
	var sum int64
	for _, amount := range amounts {
		sum += amount
	}
	var rows, moved, left, got int64
	err := db.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM transfers), (SELECT coalesce(sum(amount), 0) FROM transfers),
		(SELECT balance FROM accounts WHERE name = $1), (SELECT balance FROM accounts WHERE name = $2)`, payer, payee).Scan(&rows, &moved, &left, &got)
	if err != nil {
		t.Fatal(err)
	}
	if rows != int64(len(amounts)) || moved != sum || left != opening-sum || got != sum {
		t.Errorf("%d transfers of %d, balances %d and %d; want transfers of %v", rows, moved, left, got, amounts)
	}
}

// bank serves transfers.
type bank struct {
	*httptest.Server
	db   *database
	runs atomic.Int64 // of the handler
	cut  atomic.Int64 // how many replies are still to be lost
	down atomic.Bool  // requests with Do "fail" fail
}

// open serves l's handler on db, as it is at first.
func open(t *testing.T, l library, db *database, exec onceward.Executor) *bank {
	t.Helper()
	b := &bank{db: db}
	user := func(*http.Request) (string, error) { return payer, nil }
	once, err := oncehttp.Middleware(exec, oncehttp.Principal("bank", user), oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b.Server = httptest.NewServer(b.losing(once(b.handler(t, l))))
	t.Cleanup(func() {
		b.Close()
		if l.check != nil {
			l.check(t, db)
		}
		db.reset(t)
	})
	return b
}

// losing does the work and loses its reply.
func (b *bank) losing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.cut.Add(-1) >= 0 {
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

func (b *bank) handler(t *testing.T, l library) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.runs.Add(1)
		var wish transfer
		if err := json.NewDecoder(r.Body).Decode(&wish); err != nil {
			http.Error(w, "not a transfer", http.StatusBadRequest)
			return
		}
		id, err := l.transfer(r.Context(), wish)
		switch {
		case wish.Do == "swallow": // an error
			if err == nil {
				t.Error("the transfer went well")
			}
		case err != nil:
			t.Error(err)
			http.Error(w, "no transfer", http.StatusInternalServerError)
			return
		case wish.Do == "refuse":
			http.Error(w, "second thoughts", http.StatusConflict)
			return
		case wish.Do == "fail" && b.down.Load():
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		case wish.Do == "escape":
			if ways := l.escape(r.Context()); len(ways) > 0 {
				t.Errorf("not refused: %v", ways)
			}
			http.Error(w, "caught", http.StatusConflict)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "transfer %d", id)
	})
}
