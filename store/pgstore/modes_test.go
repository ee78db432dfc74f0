package pgstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore/pgtest"
	"github.com/onceward/onceward/store/storetest"
)

// sample are the clauses that between them run every statement.
var sample = []string{"X1_of_many_takeovers", "X1_claim_or_cancel", "X2_stats", "C1_", "C6_", "A4_", "A9_", "D2_", "D5_", "D6_", "G1_", "L1_pages", "L1_filters", "L2_", "T1_pages", "S1_", "P2_", "P4_"}

// holds runs the sample on stores over the pool.
func (d tables) holds(t *testing.T) {
	t.Helper()
	first := d.fresh(t)
	schema := first.config.Schema
	h := storetest.Harness{
		New:         func(t testing.TB) store.Store { return d.emptied(t, schema) },
		Traits:      first.Traits(),
		Advance:     func(t testing.TB, s store.Store, by time.Duration) { move(t, s.(*Store), by) },
		Reopen:      func(t testing.TB, s store.Store) store.Store { return d.again(t, schema) },
		Uncrashable: "TestConformance does",
	}
	ran := 0
	for _, c := range storetest.Cases() {
		for _, prefix := range sample {
			if strings.HasPrefix(c.Name, prefix) {
				ran++
				t.Run(c.Name, func(t *testing.T) { c.Run(t, h) })
				break
			}
		}
	}
	if ran < len(sample) {
		t.Errorf("%d cases have run: a prefix fits none", ran)
	}
}

// However the user's pool sends statements, and whatever the role's defaults are, the store is the same.
func TestEveryQueryModeAndIsolation(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	for mode, isolation := range map[pgx.QueryExecMode]string{
		pgx.QueryExecModeCacheStatement: "serializable", pgx.QueryExecModeCacheDescribe: "repeatable read",
		pgx.QueryExecModeExec: "read committed", pgx.QueryExecModeSimpleProtocol: "repeatable read",
	} {
		t.Run(fmt.Sprintf("%v, %s", mode, isolation), func(t *testing.T) {
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
			db.holds(t)
		})
	}
}

// Behind PgBouncer in transaction mode each transaction may get another session.
func TestPgBouncer(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	db := serving(t)
	bouncer := pgtest.OwnBouncer(t, pgtest.Shared(t))
	db.pool = open(t, bouncer.URLAs(db.pool.Config().ConnConfig.User, database(db.owner))+"&default_query_exec_mode=exec")
	db.holds(t)
}

// A pool of one connection serves many callers: no call needs two.
func TestPoolOfOne(t *testing.T) {
	db := serving(t)
	db.pool = open(t, db.pool.Config().ConnString()+"&pool_max_conns=1")
	db.holds(t)
}
