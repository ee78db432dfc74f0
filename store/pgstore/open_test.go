package pgstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

func database(pool *pgxpool.Pool) string {
	return pool.Config().ConnConfig.Database
}

// wantRefused fails unless New refuses, with the sentinel and with a text that says what to do.
func wantRefused(t *testing.T, pool *pgxpool.Pool, is error, text string) {
	t.Helper()
	_, err := New(t.Context(), pool, Config{})
	if !errors.Is(err, is) || !strings.Contains(fmt.Sprint(err), text) {
		t.Errorf("New: %v; want %v that says %q", err, is, text)
	}
}

func TestNewRefusesAnotherSchema(t *testing.T) {
	pool := open(t, pgtest.Shared(t).MustDatabase(t))
	wantRefused(t, pool, ErrSchema, "onceward migrate postgres --apply")
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	exec(t, pool, "INSERT INTO onceward.versions VALUES (1000, 1)")
	if _, err := New(t.Context(), pool, Config{}); err != nil {
		t.Errorf("a newer schema that says it is compatible: %v", err)
	}
	exec(t, pool, "INSERT INTO onceward.versions VALUES (1001, 1000)")
	wantRefused(t, pool, ErrSchema, "deploy a newer build")
	exec(t, pool, "DELETE FROM onceward.versions")
	wantRefused(t, pool, ErrSchema, "pgstore.Migrate")
}

func TestSchemaThatDisappearsIsNamed(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	exec(t, db.owner, "DROP SCHEMA "+s.config.Schema+" CASCADE")
	_, err := s.Get(t.Context(), identity("k", 0))
	if !errors.Is(err, ErrSchema) {
		t.Errorf("Get without tables: %v", err)
	}
}

func TestNewRefusesReadOnly(t *testing.T) {
	pool := open(t, pgtest.Shared(t).MustDatabase(t))
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	exec(t, pool, "ALTER DATABASE "+database(pool)+" SET default_transaction_read_only = on")
	pool.Reset()
	wantRefused(t, pool, ErrReadOnly, "default_transaction_read_only")
}

// A store never works on a standby, nor reads from one that its primary has become.
func TestStandbyIsRefused(t *testing.T) {
	server := pgtest.Own(t, pgtest.Config{})
	pool := open(t, server.URL("postgres"))
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), pool, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(server.DataDir(), "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool.Reset()
	wantRefused(t, pool, ErrReadOnly, "target_session_attrs=read-write")
	if _, err := Migrate(t.Context(), pool, ""); !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), "target_session_attrs=read-write") {
		t.Errorf("Migrate on a standby: %v", err)
	}
	if found, missing, err := Pending(t.Context(), pool, ""); found != SchemaVersion || len(missing) > 0 || err != nil {
		t.Errorf("Pending on a standby: %d, %v, %v", found, missing, err)
	}
	if _, err := s.Get(t.Context(), identity("k", 0)); !errors.Is(err, ErrReadOnly) {
		t.Errorf("Get on a standby: %v", err)
	}
	if _, err := s.Claim(t.Context(), claimOf(identity("k", 0), tokenOf(1))); !errors.Is(err, ErrReadOnly) {
		t.Errorf("Claim on a standby: %v", err)
	}
}

// The role that Grants makes can do all that a store does – TestConformance runs as one –, and nothing to the trail or the tables.
func TestLeastPrivileges(t *testing.T) {
	server := pgtest.Shared(t)
	owner := open(t, server.MustDatabase(t))
	role := "serving_" + database(owner)
	exec(t, owner, "CREATE ROLE "+role+" LOGIN")
	pool := open(t, server.URLAs(role, database(owner)))
	wantRefused(t, pool, ErrSchema, "no tables")
	if _, err := Migrate(t.Context(), owner, ""); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, pool, ErrGrants, "GRANT USAGE ON SCHEMA onceward TO "+role)
	exec(t, owner, "GRANT USAGE ON SCHEMA onceward TO "+role+"; GRANT SELECT ON onceward.versions TO "+role)
	wantRefused(t, pool, ErrGrants, "GRANT DELETE ON onceward.records TO "+role)
	grants, err := Grants("", role)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, owner, grants)
	s, err := New(t.Context(), pool, Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"UPDATE onceward.trail SET actor = 'nobody'", "DELETE FROM onceward.trail", "TRUNCATE onceward.records", "DELETE FROM onceward.watermarks",
		"INSERT INTO onceward.versions VALUES (9, 9)", "DROP TABLE onceward.records", "CREATE TABLE onceward.mine ()",
	} {
		if _, err := pool.Exec(t.Context(), sql); err == nil {
			t.Errorf("the role may %s", sql)
		}
	}
	exec(t, owner, "REVOKE INSERT ON onceward.records FROM "+role)
	if _, err := s.Claim(t.Context(), claimOf(identity("k", 0), tokenOf(1))); !errors.Is(err, ErrGrants) || errors.Is(err, store.ErrFull) {
		t.Errorf("Claim without INSERT: %v", err)
	}
}

func TestTraitsSayWhatTheSettingsWeaken(t *testing.T) {
	for _, c := range []struct {
		fsync, pages, sync, standbys string
		survives                     store.Survival
		lossy                        bool
		caveats                      int
	}{
		{"on", "on", "on", "", store.SurvivesPowerLoss, true, 0},
		{"on", "on", "on", "ANY 1 (a, b)", store.SurvivesPowerLoss, false, 1},
		{"on", "on", "remote_apply", "a", store.SurvivesPowerLoss, false, 1},
		{"on", "on", "local", "a", store.SurvivesPowerLoss, true, 0},
		{"on", "on", "off", "a", store.SurvivesCrash, true, 1},
		{"off", "off", "off", "", store.SurvivesCrash, true, 3},
	} {
		got := traits(c.fsync, c.pages, c.sync, c.standbys)
		if got.Survives != c.survives || got.LossyFailover != c.lossy || !got.Shared || len(got.Caveats) != c.caveats {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	pool := open(t, pgtest.Shared(t).MustDatabase(t))
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	exec(t, pool, "ALTER DATABASE "+database(pool)+" SET synchronous_commit = off")
	pool.Reset()
	s, err := New(t.Context(), pool, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Traits().Caveats, " "); !strings.Contains(got, "synchronous_commit is off") || !strings.Contains(got, "fsync is off") {
		t.Errorf("caveats of a fast server with synchronous_commit off: %s", got)
	}
}
