package pgstore

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// A statement that looks a record up visits two partitions, and no others, whether its plan was made with its parameters or without; and none reads a whole table.
func TestStatementsPrunePartitions(t *testing.T) {
	p := newParted(t)
	s := p.s
	exec(t, p.owner, fmt.Sprintf(`INSERT INTO %[1]s.records (bucket, id, token, service, principal, key, stamp, first_seen, version, claims, policy,
			doubted, safe_new_key, state, ended, done_at, purge_at, reply)
		SELECT b, sha256((b::text || n)::bytea), decode(md5(n::text), 'hex'), 'orders', 'alice', n::text::bytea, nullif(b, 0), n, 1, 1, 0, false, false, 3, 1, n, n, 'reply'
		FROM generate_series(1, 2000) n, (SELECT 0 AS b UNION ALL SELECT substring(relname FROM '^records_([0-9]+)_')::bigint FROM pg_class
			WHERE relnamespace = '%[1]s'::regnamespace AND relname ~ '^records_[0-9]+_[0-9]+$') bounds`,
		p.schema))
	exec(t, p.owner, fmt.Sprintf("VACUUM ANALYZE %s.records", p.schema))
	own := newTransactSQL(p.schema, s.config.clock, s.sql.layout)
	conn, err := p.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	stamp := int64(p.now(t))
	parameter := regexp.MustCompile(`\$(\d+)::(\w+)`)
	for name, c := range map[string]struct {
		sql   string
		where int // parameter with the stamp
	}{
		"read": {s.sql.read, 5}, "create": {s.sql.create, 18}, "complete": {s.sql.complete, 9}, "update": {s.sql.update, 15}, "remove": {s.sql.remove, 4},
		"enter": {own.enter, 6}, "enter packed": {own.enterPacked, 3}, "remember": {own.remember, 21},
	} {
		args := make([]string, c.where)
		values := map[string]string{"bytea": `'\x00'`, "bigint": itoa(stamp), "int": "1", "smallint": "1", "boolean": "false"}
		for _, m := range parameter.FindAllStringSubmatch(c.sql, -1) {
			n, _ := strconv.Atoi(m[1])
			args[n-1] = values[m[2]]
		}
		for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
			explained, err := conn.Conn().PgConn().Exec(t.Context(), fmt.Sprintf("BEGIN; SET LOCAL plan_cache_mode = %s; PREPARE p AS %s; EXPLAIN (COSTS OFF) EXECUTE p (%s)",
				mode, c.sql, strings.Join(args, ", "))).ReadAll()
			_, _ = conn.Exec(t.Context(), "ROLLBACK; DEALLOCATE ALL")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var plan strings.Builder
			for _, row := range explained[3].Rows {
				plan.WriteString(string(row[0]) + "\n")
			}
			visited := map[string]bool{}
			for _, scan := range regexp.MustCompile(`Scan .*on (records_\w+)`).FindAllStringSubmatch(plan.String(), -1) {
				visited[scan[1]] = true
			}
			if len(visited) != 2 || !visited["records_plain"] || regexp.MustCompile(`Seq Scan on records`).MatchString(plan.String()) {
				t.Errorf("%s, %s, visits %v:\n%s", name, mode, visited, plan.String())
			}
		}
	}
}

// The lookup's plan is made once, and the function's own statements are planned as its session says.
func TestLookupsInPartitionsArePlannedOnce(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	db.partition(t, b.schema, testWidth)
	config := db.pool.Config()
	config.MaxConns = 1
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	x := b.transactor(t, pool, TransactConfig{MaintainEvery: onceward.NoMaintenance})
	const runs = 10
	for n := range runs {
		_, err := x.Transact(t.Context(), callOf(keyOf(t, fmt.Sprint("k", n))), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			var mode string
			var once, anew int
			if err := tx.QueryRow(ctx, `SELECT current_setting('plan_cache_mode'), coalesce(sum(generic_plans), 0), coalesce(sum(custom_plans), 0)
				FROM pg_prepared_statements WHERE statement LIKE '%pg_is_in_recovery%records%' AND statement NOT LIKE '%pg_prepared%'`).Scan(&mode, &once, &anew); err != nil {
				t.Error(err)
			}
			if mode != "force_custom_plan" || n == runs-1 && (once != runs || anew != 0) {
				t.Errorf("run %d: the function's statements have %s, lookups were planned once for %d of %d", n, mode, once, once+anew)
			}
			return onceward.Save(onceward.Reply{})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	who := identity("record mode", 0)
	s, err := New(t.Context(), pool, Config{Schema: b.schema})
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
	want(t, a, err, store.Granted)
	var mode string
	if err := pool.QueryRow(t.Context(), "SHOW plan_cache_mode").Scan(&mode); err != nil || mode != "force_custom_plan" {
		t.Errorf("after a step the session has %s, %v", mode, err)
	}
}

// Where statements are not kept, as behind a pooler, nothing forces a plan that names every partition.
func TestPartitionsWithoutPreparedStatements(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	db.partition(t, b.schema, testWidth)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheDescribe} {
		t.Run(mode.String(), func(t *testing.T) {
			config := db.pool.Config()
			config.ConnConfig.DefaultQueryExecMode = mode
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			x := b.transactor(t, pool, TransactConfig{MaintainEvery: onceward.NoMaintenance})
			if strings.Contains(x.link.(*pgxLink).own.enterPacked, "plan_cache_mode") {
				t.Error("a generic plan is forced")
			}
			key, err := onceward.TypeID{}.Mint()
			if err != nil {
				t.Fatal(err)
			}
			for n, call := range []func(context.Context, pgx.Tx) onceward.Outcome{b.pay(key), b.pay(key)} {
				if result, err := x.Transact(t.Context(), callOf(key), call); err != nil || result.Replayed != (n == 1) {
					t.Errorf("%+v, %v", result, err)
				}
			}
			s, err := New(t.Context(), pool, Config{Schema: b.schema})
			if err != nil {
				t.Fatal(err)
			}
			who := identity("k"+mode.String(), store.TimeOf(time.Now()))
			a, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
			want(t, a, err, store.Granted)
			a, err = s.Advance(t.Context(), completeOf(who, tokenOf(1), "reply"))
			want(t, a, err, store.Applied)
		})
	}
}
