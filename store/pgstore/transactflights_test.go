package pgstore

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// counting returns a pool of one connection whose round trips are counted.
func counting(t *testing.T, pool *pgxpool.Pool) (*pgxpool.Pool, *pgtest.Flights) {
	t.Helper()
	flights := new(pgtest.Flights)
	config := pool.Config()
	config.ConnConfig.DialFunc = flights.Dial
	config.MaxConns = 1
	counted, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(counted.Close)
	return counted, flights
}

// Round trips of a call up to its answer, against those of the same transaction without deduplication; and on a connection that is used for the first time, to
// prepare statements on.
func TestFlightsOfTransactions(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	pool, flights := counting(t, db.pool)
	x := b.transactor(t, pool, TransactConfig{})
	var behind []func()
	x.behind = func(do func()) { behind = append(behind, do) }
	for round, state := range []string{"cold", "warm", "warm again"} {
		if state == "cold" {
			pool.Reset()
			if err := pool.Ping(t.Context()); err != nil { // connected, and nothing prepared
				t.Fatal(err)
			}
		}
		count := func(what string, want [2]int, later int, call func()) {
			t.Helper()
			before := flights.Count()
			call()
			n := flights.Count() - before
			if n != want[min(round, 1)] {
				t.Errorf("%s, %s: %d round trips, want %d", what, state, n, want[min(round, 1)])
			}
			if n := len(behind); n != later {
				t.Errorf("%s: %d round trips behind the answer, want %d", what, n, later)
			}
			for _, do := range behind {
				do()
			}
			behind = nil
		}
		key := func(what string) onceward.Key { return keyOf(t, fmt.Sprint(what, "-", round)) }
		transact := func(what string, out onceward.Outcome) func() {
			return func() {
				_, _ = x.Transact(t.Context(), callOf(key(what)), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
					if err := b.transfer(ctx, tx, key(what), 1); err != nil {
						t.Error(err)
					}
					return out
				})
			}
		}
		save := onceward.Save(onceward.Reply{Body: []byte("reply")})
		count("new", [2]int{6, 3}, 0, transact("new", save))
		count("the same without deduplication", [2]int{3, 3}, 0, func() { // its statements are prepared already
			tx, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := b.transfer(t.Context(), tx, key("plain"), 1); err != nil {
				t.Error(err)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Error(err)
			}
		})
		count("replay", [2]int{1, 1}, 1, transact("new", save))
		count("mismatch", [2]int{1, 1}, 1, func() {
			call := callOf(key("new"))
			call.Fingerprint = onceward.BytesFingerprint("text/plain", []byte("pay 2"))
			if _, err := x.Transact(t.Context(), call, b.pay(key("new"))); err == nil {
				t.Error("no mismatch")
			}
		})
		count("Reject", [2]int{6, 4}, 0, transact("reject", onceward.Reject(onceward.Reply{Status: 1})))
		count("a replayed Reject", [2]int{1, 1}, 1, transact("reject", save))
		count("Free", [2]int{3, 3}, 0, transact("free", onceward.Free(onceward.Reply{})))
		count("Doubt", [2]int{3, 3}, 0, transact("doubt", onceward.Doubt(onceward.Reply{})))
		count("a panic", [2]int{3, 3}, 0, func() {
			defer func() { _ = recover() }()
			_, _ = x.Transact(t.Context(), callOf(key("panic")), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
				if err := b.transfer(ctx, tx, key("panic"), 1); err != nil {
					t.Error(err)
				}
				panic("boom")
			})
		})
		count("the same undone without deduplication", [2]int{3, 3}, 0, func() {
			tx, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := b.transfer(t.Context(), tx, key("plain"), 1); err != nil {
				t.Error(err)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
