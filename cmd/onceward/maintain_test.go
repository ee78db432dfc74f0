package main

import (
	"bufio"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/onceward/onceward/store/pgstore"
)

var partitionNames = regexp.MustCompile(`records_\d+_\d+, keys minted before [^;\s]+`)

// A table is laid out in partitions once, and maintained from then on: what was made and dropped is said.
func TestPartitionsAreMadeAndDropped(t *testing.T) {
	url := migrated(t)
	o := onDatabase(t, url, "migrate", "postgres", "--apply", "--partitions", "6h")
	if o.err != nil || !strings.Contains(o.out, "start every process anew") || !strings.Contains(o.out, "6h0m0s wide, and kept for a window of 24h0m0s and 5m0s") {
		t.Errorf("%v\n%s", o.err, o.out)
	}
	o = onDatabase(t, url, "migrate", "postgres", "--apply", "--partitions", "1h", "--window", "2h")
	if o.err != nil || strings.Contains(o.out, "anew") || !strings.Contains(o.out, "1h0m0s wide, and kept for a window of 2h0m0s and 5m0s") ||
		!strings.Contains(o.notes, "they were kept for 24h0m0s and 5m0s") {
		t.Errorf("again: %v\n%s%s", o.err, o.out, o.notes)
	}
	o = onDatabase(t, url, "migrate", "postgres", "--apply", "--partitions", "30m")
	if o.err != nil || !strings.Contains(o.out, "30m0s wide, and kept for a window of 2h0m0s and 5m0s") || strings.Contains(o.notes, "they were kept") {
		t.Errorf("another width only: %v\n%s%s", o.err, o.out, o.notes)
	}
	o = onDatabase(t, url, "maintain", "postgres")
	got := partitionNames.ReplaceAllString(settled(o.out, url), "NAME")
	if o.err != nil || !strings.HasPrefix(got, "schema onceward of database NAME on HOST:PORT: removed 0 records; left are 0 done, 0 open, 0 unknown, ") ||
		!strings.Contains(got, "dropped partition NAME; 0 live records were moved\n") { // those that a window of 24 hours had needed
		t.Errorf("%v\n%s", o.err, got)
	}
	if s, err := pgstore.New(t.Context(), connect(t, url), pgstore.Config{}); err != nil || s.Close() != nil {
		t.Error(err)
	}
	o = onDatabase(t, url, "store", "seal", "postgres", "--service", "orders", "--until", "now", "--yes")
	if sealed, _ := watermark(t, url, "orders"); o.err != nil || !strings.Contains(o.out, "after:  "+shown(sealed)) {
		t.Errorf("seal: %v\n%s", o.err, o.out)
	}
}

// A plain table is maintained too, and what does not fit is refused.
func TestMaintainOfAPlainTable(t *testing.T) {
	url := migrated(t)
	sql(t, url, `INSERT INTO onceward.records (id, token, service, principal, key, stamp, first_seen, version, claims, policy, doubted, safe_new_key, state, ended, done_at, purge_at, reply)
		SELECT sha256(n::text::bytea), decode(md5(n::text), 'hex'), 'orders', 'alice', n::text::bytea, n, n, 1, 1, 0, false, false, 3, 1, n, n, 'reply' FROM generate_series(1, 1234) n`)
	o := onDatabase(t, url, "maintain", "postgres")
	if o.err != nil || !strings.Contains(o.out, "removed 1234 records; left are 0 done") || strings.Contains(o.out, "partition") {
		t.Errorf("%v\n%s", o.err, o.out)
	}
	onDatabase(t, url, "maintain", "postgres", "--every", "-1s").refused(t, "--every", "1m")
	onDatabase(t, url, "maintain", "postgres", "--every", "0").refused(t, "--every", "1m")
	onDatabase(t, url, "migrate", "postgres", "--print", "--partitions", "6h").refused(t, "--partitions goes with --apply")
	onDatabase(t, url, "migrate", "postgres", "--apply", "--window", "6h").refused(t, "--window")
	onDatabase(t, url, "migrate", "postgres", "--apply", "--partitions", "6h", "--window", "0").refused(t, "--window is 0s", "24h")
	onDatabase(t, url, "migrate", "postgres", "--apply", "--partitions", "1s").refused(t, "PartitionConfig.Width", "window")
	onDatabase(t, "", "maintain", "postgres").refused(t, "no database")
}

// With --every it goes on until it is stopped, which is no failure; what fails meanwhile is a line on stderr.
func TestMaintainGoesOn(t *testing.T) {
	url := migrated(t)
	cmd := command(t, "maintain", "postgres", "--every", "20ms", "--dsn", url)
	stdout, err := cmd.StdoutPipe()
	stderr, err2 := cmd.StderrPipe()
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	rounds := bufio.NewScanner(stdout)
	for n := range 3 {
		if !rounds.Scan() || !strings.Contains(rounds.Text(), "removed 0 records") {
			t.Fatalf("round %d: %q, %v", n+1, rounds.Text(), rounds.Err())
		}
	}
	sql(t, url, "DROP TABLE onceward.marks")
	notes := bufio.NewScanner(stderr)
	if !notes.Scan() || !strings.HasPrefix(notes.Text(), "ALARM upkeep failed: ") || !strings.Contains(notes.Text(), "onceward migrate postgres") {
		t.Errorf("stderr: %q, %v", notes.Text(), notes.Err())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for rounds.Scan() {
	}
	for notes.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped: %v", err)
	}
}
