//go:build unix

package pgtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward/store/pgstore/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv("PGTEST_ORPHAN") != "" {
		orphan()
	}
	if os.Getenv("PGTEST_PROGRAM") != "" {
		program()
	}
	os.Exit(pgtest.Main(m))
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func query[V any](t *testing.T, url, sql string) (v V) {
	t.Helper()
	if err := connect(t, url).QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func TestDatabasesAreApart(t *testing.T) {
	s := pgtest.Shared(t)
	a, b := s.MustDatabase(t), s.MustDatabase(t)
	if _, err := connect(t, a).Exec(t.Context(), "CREATE TABLE only_in_a (n int)"); err != nil {
		t.Fatal(err)
	}
	if n := query[int](t, b, "SELECT count(*) FROM pg_class WHERE relname = 'only_in_a'"); n != 0 {
		t.Error("two databases share a table")
	}
	if again := pgtest.Shared(t); again != s {
		t.Error("two shared servers")
	}
}

func TestRestartKeepsAndKillKeepsWhatWasCommitted(t *testing.T) {
	s := pgtest.Own(t, pgtest.Config{Durable: true, Settings: map[string]string{"work_mem": "5MB"}})
	url := s.MustDatabase(t)
	for name, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "work_mem": "5MB"} {
		if got := query[string](t, url, "SHOW "+name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, err := connect(t, url).Exec(t.Context(), "CREATE TABLE kept AS SELECT 1 AS n"); err != nil {
		t.Fatal(err)
	}
	for i, end := range []func() error{s.Stop, s.Kill, func() error { return nil }, s.Kill} {
		pid := s.PID()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.PID() == pid {
			t.Errorf("end %d: the same process", i)
		}
		if n := query[int](t, url, "SELECT n FROM kept"); n != 1 {
			t.Errorf("end %d: kept %d", i, n)
		}
	}
	if !strings.Contains(s.Log(), "automatic recovery") && !strings.Contains(s.Log(), "not properly shut down") {
		t.Error("a kill was no crash: the log has no recovery")
	}
}

// passable is a temporary folder through which the server's account may pass.
func passable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCloseLeavesNothing(t *testing.T) {
	pgtest.Require(t)
	dir := passable(t)
	for _, kill := range []bool{false, true} {
		s, err := pgtest.Start(t.Context(), pgtest.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		pid := s.PID()
		if kill {
			if err := s.Kill(); err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if alive(pid) {
			t.Errorf("process %d is alive", pid)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// program is the other process of TestProgramsLeaveNothing: it has no Main.
func program() {
	s, err := pgtest.Start(context.Background(), pgtest.Config{})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestProgramsLeaveNothing(t *testing.T) {
	pgtest.Require(t)
	dir := passable(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PGTEST_PROGRAM=yes", "TMPDIR="+dir, pgtest.TemplateEnv+"=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// orphan is the other process of TestServerDiesWithItsProcess: it starts a server and waits for its end.
func orphan() {
	s, err := pgtest.Start(context.Background(), pgtest.Config{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.PID(), s.SocketDir())
	select {}
}

func TestServerDiesWithItsProcess(t *testing.T) {
	pgtest.Require(t)
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("only Linux tells a child of its parent's death")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PGTEST_ORPHAN=1", "TMPDIR="+shortTemp(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	if _, err := fmt.Fscan(out, &pid, &dir); err != nil || !alive(pid) {
		_ = cmd.Process.Kill()
		t.Fatalf("the other process started no server: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for running(pid) {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the server %d outlives its process", pid)
		}
	}
}

// shortTemp is a temporary folder that every account may enter and whose name leaves room for a socket's.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // t.TempDir has a long name, in a folder that is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// running is alive, but for a zombie whose new parent has not looked yet.
func running(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(text), ") Z ")
}

// Processes that share a template make it once, and servers on it are apart from each other.
func TestTemplateIsShared(t *testing.T) {
	pgtest.Require(t)
	dir := t.TempDir()
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) { // the server's account has to come through
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(pgtest.TemplateEnv, dir)
	var made os.FileInfo
	for range 2 {
		s := pgtest.Own(t, pgtest.Config{})
		if err := s.Exec(t.Context(), "postgres", "CREATE TABLE mine (n int)"); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "data", "PG_VERSION"))
		if err != nil || made != nil && !os.SameFile(info, made) {
			t.Fatalf("the template was made anew, %v", err)
		}
		made = info
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("beside the template there are %v, %v", left, err)
	}
}
