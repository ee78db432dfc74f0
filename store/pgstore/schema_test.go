package pgstore

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/onceward/onceward/store/pgstore/pgtest"
)

func TestMigrateIsIdempotentAndSafeForSeveralAtOnce(t *testing.T) {
	pool := open(t, pgtest.Shared(t).MustDatabase(t))
	const several = 8
	found := make(chan int, several)
	var all sync.WaitGroup
	for range several {
		all.Go(func() {
			v, err := Migrate(t.Context(), pool, "")
			if err != nil {
				t.Error(err)
			}
			found <- v
		})
	}
	all.Wait()
	close(found)
	count := map[int]int{}
	for v := range found {
		count[v]++
	}
	if count[0] != 1 || count[SchemaVersion] != several-1 {
		t.Errorf("versions found by %d migrations at once: %v; want 0 once", several, count)
	}
	if _, err := New(t.Context(), pool, Config{}); err != nil {
		t.Error(err)
	}
}

// Somebody else's tool runs the statements as they are, in the folder's order.
func TestMigrationsRunAsPlainSQL(t *testing.T) {
	pool := open(t, pgtest.Shared(t).MustDatabase(t))
	exec(t, pool, "ALTER DATABASE "+database(pool)+" SET default_transaction_isolation = 'repeatable read'")
	pool.Reset()
	for schema, name := range map[string]string{"": DefaultSchema, "another_1": "another_1"} {
		all, err := Migrations(schema)
		if err != nil || len(all) != SchemaVersion {
			t.Fatalf("%d migrations, %v; want %d", len(all), err, SchemaVersion)
		}
		for i, m := range all {
			if m.Version != i+1 {
				t.Errorf("%s has version %d, want %d", m.Name, m.Version, i+1)
			}
			if schema != "" && regexp.MustCompile(`\bonceward\b`).MatchString(m.SQL) {
				t.Errorf("%s names the default schema", m.Name)
			}
			exec(t, pool, m.SQL)
		}
		if v, err := Migrate(t.Context(), pool, schema); err != nil || v != SchemaVersion {
			t.Errorf("Migrate after the statements found version %d, %v", v, err)
		}
		if _, err := New(t.Context(), pool, Config{Schema: name}); err != nil {
			t.Error(err)
		}
	}
}

// Pending says what Migrate would do, and neither touches what a newer build has made.
func TestPendingIsWhatMigrateWouldDo(t *testing.T) {
	pool := open(t, pgtest.Shared(t).MustDatabase(t))
	all, err := Migrations("")
	if err != nil {
		t.Fatal(err)
	}
	if found, missing, err := Pending(t.Context(), pool, ""); found != 0 || !slices.Equal(missing, all) || err != nil {
		t.Errorf("in an empty database: %d, %d migrations, %v", found, len(missing), err)
	}
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	if found, missing, err := Pending(t.Context(), pool, ""); found != SchemaVersion || len(missing) > 0 || err != nil {
		t.Errorf("after Migrate: %d, %v, %v", found, missing, err)
	}
	exec(t, pool, "INSERT INTO onceward.versions VALUES (1000, 1)")
	if found, err := Migrate(t.Context(), pool, ""); found != 1000 || err != nil {
		t.Errorf("Migrate with a newer schema that says it is compatible: %d, %v", found, err)
	}
	exec(t, pool, "INSERT INTO onceward.versions VALUES (1001, 1000)")
	_, migrated := Migrate(t.Context(), pool, "")
	_, missing, pending := Pending(t.Context(), pool, "")
	for name, err := range map[string]error{"Migrate": migrated, "Pending": pending} {
		if !errors.Is(err, ErrSchema) || !strings.Contains(fmt.Sprint(err), "deploy a newer build") || missing != nil {
			t.Errorf("%s with a schema that is too new: %v", name, err)
		}
	}
}

// Whoever may not make the tables is told what the one who makes them needs, which is not what Grants gives.
func TestMigrateNamesTheRoleThatMay(t *testing.T) {
	server := pgtest.Shared(t)
	owner := open(t, server.MustDatabase(t))
	role := "idle_" + database(owner)
	exec(t, owner, "CREATE ROLE "+role+" LOGIN")
	pool := open(t, server.URLAs(role, database(owner)))
	_, err := Migrate(t.Context(), pool, "")
	if !errors.Is(err, ErrGrants) || !strings.Contains(err.Error(), "CREATE") || strings.Contains(err.Error(), "pgstore.Grants") {
		t.Errorf("Migrate without privileges: %v", err)
	}
}

func TestSchemaNamesThatAreNone(t *testing.T) {
	for _, name := range []string{"Upper", "1digit", "a-b", `a"b`, "a.b", "a b", strings.Repeat("a", 64), "a;"} {
		if _, err := Migrations(name); err == nil || !strings.Contains(err.Error(), "Schema is") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What the table must refuse, whoever changes it.
func TestTriggerHoldsTheStates(t *testing.T) {
	pool := open(t, pgtest.Shared(t).MustDatabase(t))
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	columns := []string{"id", "token", "service", "principal", "key", "first_seen", "version", "claims", "policy", "doubted", "safe_new_key",
		"state", "ended", "lease", "done_at", "purge_at", "reply", "fingerprint_version", "fingerprint"}
	done := map[string]string{
		"id": "sha256(random()::text::bytea)", "token": `'\x00112233445566778899aabbccddeeff'`, "service": "'s'", "principal": "'p'", "key": "'k'",
		"first_seen": "1", "version": "1", "claims": "1", "policy": "0", "doubted": "false", "safe_new_key": "false",
		"state": "3", "ended": "1", "lease": "NULL", "done_at": "1", "purge_at": "2", "reply": "''",
		"fingerprint_version": "NULL", "fingerprint": "NULL",
	}
	open := map[string]string{"state": "2", "ended": "0", "lease": "5", "done_at": "NULL", "purge_at": "NULL", "reply": "NULL"}
	insert := func(changes ...map[string]string) error {
		values := make([]string, len(columns))
		for i, c := range columns {
			values[i] = done[c]
			for _, change := range changes {
				if v, ok := change[c]; ok {
					values[i] = v
				}
			}
		}
		return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), fmt.Sprintf("INSERT INTO onceward.records (%s) VALUES (%s)", strings.Join(columns, ", "), strings.Join(values, ", ")))
			if err == nil {
				_, err = tx.Exec(t.Context(), touch("onceward"))
			}
			return err
		})
	}
	type change = map[string]string
	for name, c := range map[string][]change{
		"done with a reply": {}, "done without": {{"ended": "2", "reply": "NULL"}}, "started": {open}, "claimed": {open, {"state": "1"}},
		"doubted": {open, {"doubted": "true"}}, "a safe new key": {{"ended": "3", "reply": "NULL", "safe_new_key": "true"}},
		"a fingerprint": {{"fingerprint_version": "1", "fingerprint": "sha256('')"}},
	} {
		if err := insert(c...); err != nil {
			t.Errorf("%s is refused: %v", name, err)
		}
	}
	for name, c := range map[string][]change{
		"a short id": {{"id": "'short'"}}, "no service": {{"service": "''"}}, "a long key": {{"key": "repeat('k', 256)::bytea"}},
		"done with a lease": {{"lease": "1"}}, "done without purge time": {{"purge_at": "NULL"}}, "a reply that is none": {{"reply": "NULL"}},
		"a tombstone with a reply": {{"ended": "2"}}, "done and open": {{"ended": "0"}}, "open with a reply": {open, {"reply": "'x'"}},
		"open without a lease": {open, {"lease": "NULL"}}, "claimed and doubted": {open, {"state": "1", "doubted": "true"}},
		"a fourth state": {{"state": "4"}}, "no state": {{"state": "0"}}, "a third policy": {{"policy": "2"}}, "an executed safe new key": {{"safe_new_key": "true"}},
		"half a fingerprint": {{"fingerprint_version": "1"}}, "a short fingerprint": {{"fingerprint_version": "1", "fingerprint": "'x'"}},
	} {
		var server *pgconn.PgError
		if err := insert(c...); !errors.As(err, &server) || server.Code != "23514" {
			t.Errorf("%s: %v, want a violated check", name, err)
		}
	}
	var state string
	if err := pool.QueryRow(t.Context(), "SELECT string_agg(DISTINCT state, ', ' ORDER BY state) FROM onceward.operations").Scan(&state); err != nil {
		t.Fatal(err)
	}
	if want := "claimed, done, done, reply not kept, not executed, unknown"; state != want {
		t.Errorf("the view says %q, want %q", state, want)
	}
}
