package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// A transactor is refused what a store is refused, and a wrong configuration is reported whole.
func TestNewTransactorRefuses(t *testing.T) {
	pool := open(t, pgtest.Shared(t).MustDatabase(t))
	refused := func(is error, text string, c TransactConfig) {
		t.Helper()
		if _, err := NewTransactor(t.Context(), pool, c); !errors.Is(err, is) || !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("NewTransactor: %v; want %v that says %q", err, is, text)
		}
	}
	refused(ErrSchema, "onceward migrate postgres --apply", TransactConfig{})
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	refused(onceward.ErrConfig, "TransactConfig.Isolation = read uncommitted", TransactConfig{Isolation: pgx.ReadUncommitted})
	refused(onceward.ErrConfig, "TransactConfig.Attempts = -1", TransactConfig{Attempts: -1, Window: time.Millisecond})
	refused(onceward.ErrConfig, "TransactConfig.Window = 1ms", TransactConfig{Attempts: -1, Window: time.Millisecond})
	for field, c := range map[string]TransactConfig{
		"Wait": {Wait: 25 * time.Hour}, "HandlerLimit": {HandlerLimit: math.MaxInt64}, "StoreTimeout": {StoreTimeout: math.MaxInt64},
		"SaveLimit": {SaveLimit: math.MaxInt64}, "Skew": {Skew: 25 * time.Hour}, "Window": {Window: math.MaxInt64},
	} {
		refused(onceward.ErrConfig, "TransactConfig."+field, c)
	}
	refused(onceward.ErrConfig, "TransactConfig.Window", TransactConfig{Isolation: pgx.Serializable, Window: time.Minute, Skew: time.Second})
	exec(t, pool, "ALTER DATABASE "+database(pool)+" SET default_transaction_read_only = on")
	pool.Reset()
	refused(ErrReadOnly, "default_transaction_read_only", TransactConfig{})
}

func TestTransactorSaysWhatItGuarantees(t *testing.T) {
	pool := open(t, pgtest.Shared(t).MustDatabase(t))
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	exec(t, pool, "ALTER DATABASE "+database(pool)+" SET synchronous_commit = off")
	pool.Reset()
	x, err := NewTransactor(t.Context(), pool, TransactConfig{Window: time.Hour, Isolation: pgx.Serializable})
	if err != nil {
		t.Fatal(err)
	}
	g := x.Guarantee()
	if g.Promise != "exactly once in this database" || !strings.Contains(g.Sentence, "1h0m0s") || !strings.Contains(g.Sentence, "serializable") {
		t.Errorf("%+v", g)
	}
	for _, line := range []string{"synchronous_commit is off", "outside of this database", "failover", "mint time"} {
		if !strings.Contains(strings.Join(g.Weakened, "\n"), line) {
			t.Errorf("no word of %q in %s", line, g)
		}
	}
}

// However the user's pool sends statements, and whatever the role's defaults are: the same transactions.
func TestTransactInEveryQueryMode(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	for mode, isolation := range map[pgx.QueryExecMode]string{
		pgx.QueryExecModeCacheDescribe: "serializable", pgx.QueryExecModeDescribeExec: "repeatable read", pgx.QueryExecModeExec: "repeatable read",
		pgx.QueryExecModeSimpleProtocol: "serializable",
	} {
		t.Run(mode.String(), func(t *testing.T) {
			db := ownDatabase(t)
			exec(t, db.owner, fmt.Sprintf("ALTER DATABASE %s SET default_transaction_isolation = '%s'", database(db.owner), isolation))
			config := db.pool.Config()
			config.ConnConfig.DefaultQueryExecMode = mode
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			db.pool = pool
			newBank(t, db).round(t)
		})
	}
}

// Behind PgBouncer in transaction mode each transaction may get another session.
func TestTransactThroughPgBouncer(t *testing.T) {
	db := serving(t)
	bouncer := pgtest.OwnBouncer(t, pgtest.Shared(t))
	db.pool = open(t, bouncer.URLAs(db.pool.Config().ConnConfig.User, database(db.owner))+"&default_query_exec_mode=exec")
	newBank(t, db).round(t)
}

// No call needs two connections.
func TestTransactWithAPoolOfOne(t *testing.T) {
	db := serving(t)
	db.pool = open(t, db.pool.Config().ConnString()+"&pool_max_conns=1")
	newBank(t, db).round(t)
}

// round is a little of everything, at each isolation level.
func (b *bank) round(t *testing.T) {
	t.Helper()
	var paid []string
	for _, isolation := range isolations {
		x := b.transactor(t, b.pool, TransactConfig{Isolation: isolation})
		for name, out := range map[string]onceward.Outcome{
			"save": onceward.Save(onceward.Reply{Status: 1}), "reject": onceward.Reject(onceward.Reply{Status: 1}), "free": onceward.Free(onceward.Reply{Status: 1}),
		} {
			key := keyOf(t, fmt.Sprint(name, "-", isolation[:3]))
			for n := range 2 {
				result, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
					if err := b.transfer(ctx, tx, key, 1); err != nil {
						t.Error(err)
					}
					return out
				})
				if err != nil || result.Reply.Status != 1 || result.Replayed != (n == 1 && name != "free") {
					t.Errorf("%s, call %d: %v, %v", key.Text(), n+1, result, err)
				}
			}
			if name == "save" {
				paid = append(paid, key.Text())
			}
		}
		key := keyOf(t, fmt.Sprint("commit-", isolation[:3]))
		if _, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			_, _ = tx.Exec(ctx, "ROLLBACK")
			_, _ = tx.Exec(ctx, "BEGIN")
			return onceward.Save(onceward.Reply{})
		}); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v", key.Text(), err)
		}
	}
	b.balance(t, paid...)
}

// Real conflicts: many transactions read and write the same rows, at the levels that make some of them fail.
func TestTransactConflicts(t *testing.T) {
	db := serving(t)
	for _, isolation := range isolations {
		b := newBank(t, db)
		x := b.transactor(t, db.pool, TransactConfig{Isolation: isolation, Attempts: 50})
		var again atomic.Int64
		var all sync.WaitGroup
		var paid []string
		for n := range 12 {
			key := keyOf(t, fmt.Sprint("k", n, "-0")) // all the same accounts
			paid = append(paid, key.Text())
			all.Go(func() {
				result, err := x.Do(t.Context(), callOf(key), func(ctx context.Context, a onceward.Attempt) onceward.Outcome {
					if a.N > 1 {
						again.Add(1)
					}
					var sum int64
					if err := Tx(ctx).QueryRow(ctx, "SELECT sum(balance) FROM "+b.schema+".accounts").Scan(&sum); err != nil || isolation != pgx.ReadCommitted && sum != 0 {
						return onceward.DoubtError(fmt.Errorf("the accounts sum up to %d: %w", sum, err))
					}
					return b.pay(key)(ctx, Tx(ctx))
				})
				if err != nil || result.Standing != onceward.Saved {
					t.Errorf("%s: %v, %v", key.Text(), result, err)
				}
			})
		}
		all.Wait()
		b.balance(t, paid...)
		t.Logf("%s: %d further attempts", isolation, again.Load())
	}
}

// Over HTTP: the handler's status decides, its body is there again in another attempt, it cannot flush, and the client gets the saved reply.
func TestTransactOverHTTP(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{})
	once, err := oncehttp.Middleware(x, oncehttp.Principal("bank", func(*http.Request) (string, error) { return "alice", nil }), oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	server := httptest.NewServer(once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs++
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) == 0 {
			t.Errorf("run %d: body %q, %v", runs, body, err)
		}
		key, _ := oncehttp.KeyFromHeader(r.Header)
		if err := b.transfer(r.Context(), Tx(r.Context()), key, 1); err != nil {
			t.Error(err)
		}
		if err := http.NewResponseController(w).Flush(); err == nil {
			t.Error("it flushes before COMMIT")
		}
		_, _ = fmt.Fprintf(w, "run %d: ", runs)
		if runs == 1 {
			if _, err := Tx(r.Context()).Exec(r.Context(), "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"); err == nil {
				t.Error("nothing raised")
			}
		}
		_, _ = w.Write(body)
	})))
	t.Cleanup(server.Close)
	send := func(key, body string) (int, string, http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(oncehttp.HeaderKey, key)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text), resp.Header
	}
	for n := range 2 {
		status, body, h := send("one", "yes")
		if status != 200 || body != "run 2: yes" || (h.Get(oncehttp.HeaderReplayed) == "true") != (n == 1) {
			t.Errorf("send %d: %d %q %v", n+1, status, body, h)
		}
	}
	if status, _, _ := send("one", "other"); status != http.StatusUnprocessableEntity {
		t.Errorf("another request under the key: %d", status)
	}
	b.balance(t, "one")
}

// Close lets functions end, and begins none.
func TestTransactorClose(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{})
	key := keyOf(t, "k")
	first, let := b.holding(t, x, key)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close while a function runs: %v", err)
	}
	if _, err := x.Transact(t.Context(), callOf(keyOf(t, "l")), b.pay(key)); !errors.Is(err, onceward.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	let()
	if err := x.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if r := <-first; r.err != nil {
		t.Error(r.err)
	}
	b.balance(t, "k")
}

// A function whose time is over is not run again; what it has done so far is undone.
func TestTransactHandlerLimit(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{HandlerLimit: 500 * time.Millisecond})
	key, runs := keyOf(t, "k"), 0
	_, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		runs++
		if err := b.transfer(ctx, tx, key, 1); err != nil {
			t.Error(err)
		}
		_, err := tx.Exec(ctx, "SELECT pg_sleep(60)")
		return onceward.DoubtError(errors.Join(err, context.Cause(ctx)))
	})
	if !errors.Is(err, errHandlerLimit) || !errors.Is(err, onceward.ErrFreed) || runs != 1 {
		t.Errorf("%v, %d runs", err, runs)
	}
	b.balance(t)
}
