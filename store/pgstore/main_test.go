package pgstore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// open returns a pool that is closed when the test ends.
func open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// exec runs SQL, several statements perhaps.
func exec(t testing.TB, pool *pgxpool.Pool, sql string) {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Conn().PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
}

// schemas counts the schemas of this process's tests: each test has its own tables, in one database, at the price of some statements.
var schemas atomic.Int64

// testClock is a clock that tests move, kept in the test's own schema: the server's, plus an offset.
const testClock = "(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + (SELECT ms FROM %s.clock_offset))"

// tables are the tables of one test: their owner's pool, and the serving role's.
type tables struct{ owner, pool *pgxpool.Pool }

// common is the database in which most tests have a schema each: cheaper than a database each.
var common struct {
	sync.Mutex
	owner, server string // URLs
}

// serving returns pools on the common database: of its owner, and of a role that has no privileges but those of Grants.
func serving(t testing.TB) tables {
	t.Helper()
	common.Lock()
	defer common.Unlock()
	if common.owner == "" {
		common.owner, common.server = apart(t)
	}
	return tables{open(t, common.owner), open(t, common.server)}
}

// ownDatabase is serving for a test that changes the settings of its database.
func ownDatabase(t testing.TB) tables {
	t.Helper()
	owner, server := apart(t)
	return tables{open(t, owner), open(t, server)}
}

func apart(t testing.TB) (owner, server string) {
	t.Helper()
	s := pgtest.Shared(t)
	owner = s.MustDatabase(t)
	pool := open(t, owner)
	role := "role_" + database(pool)
	exec(t, pool, "CREATE ROLE "+role+" LOGIN")
	return owner, s.URLAs(role, database(pool))
}

// widthOfTests is not zero while tests run on partitions: see [TestOnPartitions].
var widthOfTests time.Duration

// fresh makes tables and opens a store on them, whose clock can be moved.
func (d tables) fresh(t testing.TB) *Store {
	t.Helper()
	schema := fmt.Sprintf("s%d", schemas.Add(1))
	if _, err := Migrate(t.Context(), d.owner, schema); err != nil {
		t.Fatal(err)
	}
	role := d.pool.Config().ConnConfig.User
	grants, err := Grants(schema, role)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, d.owner, grants+fmt.Sprintf(`CREATE TABLE %[1]s.clock_offset AS SELECT 0::bigint AS ms; GRANT SELECT, UPDATE ON %[1]s.clock_offset TO "%[2]s"`, schema, role))
	t.Cleanup(func() {
		sound(t, d, schema)
		_, _ = d.owner.Exec(context.Background(), "DROP SCHEMA "+schema+" CASCADE") // a killed server takes it along
	})
	if widthOfTests != 0 {
		d.partition(t, schema, widthOfTests)
	}
	return d.again(t, schema)
}

// touch changes nothing in any record, and has the table's trigger look at each.
func touch(schema string) string { return "UPDATE " + schema + ".records SET id = id" }

// sound fails the test if it has left a record as no state allows.
func sound(t testing.TB, d tables, schema string) {
	t.Helper()
	if _, err := d.owner.Exec(context.Background(), touch(schema)); isCode(err, "23514") {
		t.Error(err)
	}
}

// partition lays tables out in partitions, or changes their width.
func (d tables) partition(t testing.TB, schema string, width time.Duration) {
	t.Helper()
	if _, err := Partition(t.Context(), d.owner, PartitionConfig{Schema: schema, Width: width, clock: fmt.Sprintf(testClock, schema)}); err != nil {
		t.Fatal(err)
	}
}

// emptied opens a store on tables that another test, or case, has used and closed: cheaper than new ones.
func (d tables) emptied(t testing.TB, schema string) *Store {
	t.Helper()
	sound(t, d, schema)
	exec(t, d.owner, strings.ReplaceAll("DELETE FROM {s}.records; DELETE FROM {s}.watermarks; DELETE FROM {s}.marks; DELETE FROM {s}.trail; UPDATE {s}.clock_offset SET ms = 0",
		"{s}", schema))
	return d.again(t, schema)
}

// again opens another store on the same tables.
func (d tables) again(t testing.TB, schema string) *Store {
	t.Helper()
	s, err := New(t.Context(), d.pool, Config{Schema: schema, clock: fmt.Sprintf(testClock, schema)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// move sets the clock of the store's tables forward, or back.
func move(t testing.TB, s *Store, d time.Duration) {
	t.Helper()
	exec(t, s.pool, fmt.Sprintf("UPDATE %s.clock_offset SET ms = ms + %d", s.config.Schema, d.Milliseconds()))
}

// What tests send.

func identity(key string, stamp store.Time) store.Identity {
	return store.Identity{ID: sha256.Sum256([]byte(key)), Service: "orders", Principal: "alice", Key: key, Stamp: stamp}
}

func tokenOf(n byte) store.Token { return store.Token{0: n, 15: 1} }

func claimOf(who store.Identity, t store.Token) store.ClaimRequest {
	return store.ClaimRequest{Identity: who, Token: t, Lease: time.Hour, Window: 24 * time.Hour, Guard: time.Minute, Start: true}
}

func completeOf(who store.Identity, t store.Token, reply string) store.AdvanceRequest {
	return store.AdvanceRequest{Identity: who, Token: t, Op: store.OpComplete, End: store.EndReply, Reply: []byte(reply), Window: 24 * time.Hour, Guard: time.Minute}
}
