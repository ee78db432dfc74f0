package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store/pgstore"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// output is what a command line gave.
type output struct {
	out, notes string
	err        error
}

// onDatabase runs a command line of "onceward" with the environment's database set to url.
func onDatabase(t *testing.T, url string, args ...string) (o output) {
	t.Helper()
	t.Setenv(databaseVariable, url)
	return execute(t, args...)
}

func execute(t *testing.T, args ...string) output {
	t.Helper()
	var out, notes bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(strings.NewReader("yes\n")) // not a terminal: nobody may take it for a confirmation
	root.SetOut(&out)
	root.SetErr(&notes)
	err := root.ExecuteContext(t.Context())
	return output{out.String(), notes.String(), err}
}

// refused fails unless the error says each of the texts.
func (o output) refused(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(fmt.Sprint(o.err), text) {
			t.Errorf("error %v; want one that says %q", o.err, text)
		}
	}
}

func connect(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// sql runs statements as superuser in the database of a URL.
func sql(t *testing.T, url, statements string) {
	t.Helper()
	conn, err := connect(t, url).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Conn().PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatalf("%v in %s", err, statements)
	}
}

// settled replaces what differs from run to run.
func settled(text, url string) string {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err.Error()
	}
	c := cfg.ConnConfig
	return strings.NewReplacer(fmt.Sprintf("%s:%d", c.Host, c.Port), "HOST:PORT", "database "+c.Database, "database NAME").Replace(text)
}

func TestMigrateApplySaysWhatItFoundAndDid(t *testing.T) {
	url := pgtest.Shared(t).MustDatabase(t)
	all, err := pgstore.Migrations("")
	if err != nil {
		t.Fatal(err)
	}
	want := "schema onceward of database NAME on HOST:PORT: found no tables\n"
	for _, m := range all {
		want += fmt.Sprintf("applied %s, now at version %d\n", m.Name, m.Version)
	}
	first := onDatabase(t, url, "migrate", "postgres", "--apply")
	if got := settled(first.out, url); first.err != nil || got != want {
		t.Errorf("the first time: %v\n%s\nwant\n%s", first.err, got, want)
	}
	again := onDatabase(t, "", "migrate", "postgres", "--apply", "--dsn", url)
	want = fmt.Sprintf("schema onceward of database NAME on HOST:PORT: found version %d, which is what this build needs: nothing to do\n", pgstore.SchemaVersion)
	if got := settled(again.out, url); again.err != nil || got != want {
		t.Errorf("the second time: %v\n%s\nwant\n%s", again.err, got, want)
	}
	if _, err := pgstore.New(t.Context(), connect(t, url), pgstore.Config{}); err != nil {
		t.Error(err)
	}
	sql(t, url, "INSERT INTO onceward.versions VALUES (1000, 1)")
	if o := onDatabase(t, url, "migrate", "postgres", "--apply"); o.err != nil || !strings.Contains(o.out, "found version 1000, newer than this build's") {
		t.Errorf("with tables that are newer and compatible: %v, %s", o.err, o.out)
	}
	sql(t, url, "INSERT INTO onceward.versions VALUES (1001, 1000)")
	for _, what := range []string{"--apply", "--print"} {
		o := onDatabase(t, url, "migrate", "postgres", what)
		o.refused(t, "version 1001", "deploy a newer build")
		if o.out != "" {
			t.Errorf("%s with tables that are too new wrote %q", what, o.out)
		}
	}
}

func TestMigrateSeveralAtOnce(t *testing.T) {
	const several = 6
	url := pgtest.Shared(t).MustDatabase(t)
	t.Setenv(databaseVariable, url)
	results := make(chan output, several)
	var all sync.WaitGroup
	for range several {
		all.Go(func() { results <- execute(t, "migrate", "postgres", "--apply", "--schema", "elsewhere") })
	}
	all.Wait()
	close(results)
	applied := 0
	for o := range results {
		if o.err != nil {
			t.Error(o.err)
		}
		applied += strings.Count(o.out, "applied 0001_")
	}
	if applied != 1 {
		t.Errorf("%d of %d say that they applied the first migration", applied, several)
	}
	if _, err := pgstore.New(t.Context(), connect(t, url), pgstore.Config{Schema: "elsewhere"}); err != nil {
		t.Error(err)
	}
}

// What --print writes makes the tables, as a role that --grants lets serve finds.
func TestMigratePrintAndGrantsAreForAnotherTool(t *testing.T) {
	server := pgtest.Shared(t)
	url := server.MustDatabase(t)
	printed := onDatabase(t, url, "migrate", "postgres", "--print")
	if printed.err != nil || settled(printed.notes, url) != "schema onceward of database NAME on HOST:PORT: found no tables\n" {
		t.Errorf("--print: %v, %q", printed.err, printed.notes)
	}
	for name, o := range map[string]output{
		"no database": onDatabase(t, "", "migrate", "postgres", "--print"),
		"--dsn ''":    onDatabase(t, url, "migrate", "postgres", "--print", "--dsn", ""),
	} {
		if o.err != nil || o.out != printed.out || o.notes != "" {
			t.Errorf("--print with %s: %v, %d bytes, %q; want the same %d bytes", name, o.err, len(o.out), o.notes, len(printed.out))
		}
	}
	sql(t, url, printed.out)
	if o := onDatabase(t, url, "migrate", "postgres", "--print"); o.err != nil || o.out != "" || !strings.Contains(o.notes, "nothing to do") {
		t.Errorf("--print when nothing is missing: %v, %q, %q", o.err, o.out, o.notes)
	}

	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	role := "payouts_" + cfg.ConnConfig.Database
	sql(t, url, "CREATE ROLE "+role+" LOGIN")
	serving := server.URLAs(role, cfg.ConnConfig.Database)
	onDatabase(t, serving, "store", "seal", "postgres", "--service", "s", "--until", "now", "--yes").refused(t, "GRANT USAGE ON SCHEMA onceward")
	granted := onDatabase(t, "", "migrate", "postgres", "--grants", role)
	if granted.err != nil {
		t.Fatal(granted.err)
	}
	sql(t, url, granted.out)
	if _, err := pgstore.New(t.Context(), connect(t, serving), pgstore.Config{}); err != nil {
		t.Error(err)
	}
}

func TestMigrateRefusesAndSaysWhatToDo(t *testing.T) {
	for want, args := range map[string]string{
		"use one of --print, --apply and --grants": "",
		"one of --print, --apply and --grants":     "--print --apply",
		"use one of --print, --apply and":          "--apply --grants role",
		"--grants is empty":                        "--grants=",
		"no database: use --dsn, or set DATABASE":  "--apply",
		"must be 1 to 63 lower-case letters":       "--print --schema Upper",
		"--dsn names a file that cannot be read":   "--apply --dsn postgres://h/d?sslmode=verify-full&sslrootcert=/no/such/file",
		"an argument too many":                     "--print surplus",
	} {
		o := onDatabase(t, "", append([]string{"migrate", "postgres"}, strings.Fields(args)...)...)
		if o.refused(t, want); o.out != "" {
			t.Errorf("migrate postgres %s wrote %q", args, o.out)
		}
	}
	for _, args := range [][]string{{"migrate", "mysql"}, {"store", "open"}, {"store", "seal", "mysql"}} {
		onDatabase(t, "", args...).refused(t, "unknown command; see onceward")
	}
}

func TestMigrateNamesWhatIsInTheWay(t *testing.T) {
	server := pgtest.Own(t, pgtest.Config{})
	url := server.URL("postgres")
	for _, statement := range []string{"CREATE ROLE idle LOGIN", "CREATE DATABASE closed", "REVOKE CONNECT ON DATABASE closed FROM PUBLIC"} {
		sql(t, url, statement)
	}
	onDatabase(t, server.URLAs("idle", "postgres"), "migrate", "postgres", "--apply").refused(t, "lacks privileges", "CREATE")
	onDatabase(t, server.URLAs("idle", "closed"), "migrate", "postgres", "--apply").refused(t, "GRANT CONNECT")
	onDatabase(t, server.URL("nowhere"), "migrate", "postgres", "--apply").refused(t, "create the database first")
	onDatabase(t, server.URLAs("nobody_known", "postgres"), "migrate", "postgres", "--apply").refused(t, "look at the role")
	onDatabase(t, url, "store", "seal", "postgres", "--service", "s", "--until", "now", "--yes").refused(t, "onceward migrate postgres --apply")

	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	onDatabase(t, url, "migrate", "postgres", "--apply").refused(t, "no connection", "is the server up")
	if err := os.WriteFile(filepath.Join(server.DataDir(), "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	onDatabase(t, url, "migrate", "postgres", "--apply").refused(t, "cannot write", "target_session_attrs=read-write")
	onDatabase(t, url, "store", "seal", "postgres", "--service", "s", "--until", "now", "--yes").refused(t, "cannot write", "target_session_attrs=read-write")
	if o := onDatabase(t, url, "migrate", "postgres", "--print"); o.err != nil || !strings.Contains(o.out, "CREATE TABLE onceward.records") {
		t.Errorf("--print on a standby: %v", o.err)
	}
}

// freeAddress is one where nobody listens, at a port that the system gives to nobody: it stays free until who takes it takes it, and again after that.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(22_768))))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}
