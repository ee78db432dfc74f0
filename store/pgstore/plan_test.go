package pgstore

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// With many records no statement reads a whole table, also when its plan was made without knowing the parameters.
func TestStatementsUseIndexes(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	schema := s.config.Schema
	finish(t, db, s, "orders", 20_000)
	exec(t, db.owner, fmt.Sprintf(`INSERT INTO %[1]s.records (id, token, service, principal, key, first_seen, version, claims, policy, doubted, safe_new_key, state, ended, lease)
		SELECT sha256(n::text::bytea), decode(md5(n::text), 'hex'), 'orders', 'alice', 'open', 1, 1, 1, 0, false, false, 2, 0, n FROM generate_series(1, 200) n;
		INSERT INTO %[1]s.marks SELECT n, sha256(n::text::bytea), decode(md5(n::text), 'hex') FROM generate_series(1, 20000) n;
		INSERT INTO %[1]s.trail (at, version, action, id, service, principal, key, actor, reason)
		SELECT n, 1, 1, sha256((n / 2)::text::bytea), 'orders', 'alice', 'k', 'ops', 'why' FROM generate_series(1, 20000) n`, schema))
	exec(t, db.owner, fmt.Sprintf("VACUUM ANALYZE %[1]s.records, %[1]s.marks, %[1]s.trail", schema))
	conn, err := db.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	parameter := regexp.MustCompile(`\$(\d+)::(\w+)`)
	for name, sql := range map[string]string{
		"read": s.sql.read, "create": s.sql.create, "complete": s.sql.complete, "update": s.sql.update, "remove": s.sql.remove,
		"unknown": s.sql.unknown, "open": s.sql.open, "done": s.sql.done, "purge": s.sql.purge, "more": s.sql.more, "forget": s.sql.forget,
		"find": s.sql.find, "trail": s.sql.trail, "trail of one": s.sql.trailOf,
	} {
		last := 0
		for _, m := range parameter.FindAllStringSubmatch(sql, -1) {
			var n int
			if _, err := fmt.Sscan(m[1], &n); err != nil {
				t.Fatal(err)
			}
			last = max(last, n)
		}
		nulls := strings.TrimSuffix(strings.Repeat("NULL, ", last), ", ")
		result, err := conn.Conn().PgConn().Exec(t.Context(), fmt.Sprintf(
			"SET plan_cache_mode = force_generic_plan; PREPARE p AS %s; EXPLAIN (COSTS OFF) EXECUTE p (%s); DEALLOCATE p", sql, nulls)).ReadAll()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var plan strings.Builder
		for _, row := range result[2].Rows {
			plan.WriteString(string(row[0]) + "\n")
		}
		if regexp.MustCompile(`Seq Scan on (records|marks|trail)`).MatchString(plan.String()) || !strings.Contains(plan.String(), "Index") {
			t.Errorf("%s reads a whole table:\n%s", name, plan.String())
		}
	}
}
