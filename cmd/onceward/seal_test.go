package main

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// times are replaced in golden output.
var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)

// migrated is a database that has the tables.
func migrated(t *testing.T) (url string) {
	t.Helper()
	url = pgtest.Shared(t).MustDatabase(t)
	if o := onDatabase(t, url, "migrate", "postgres", "--apply"); o.err != nil {
		t.Fatal(o.err)
	}
	return url
}

// watermark is what the store has in force, and its clock.
func watermark(t *testing.T, url, service string) (sealed, now store.Time) {
	t.Helper()
	s, err := pgstore.New(t.Context(), connect(t, url), pgstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := s.Stats(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	return st.Watermark, st.Now
}

func TestSealRaisesTheWatermark(t *testing.T) {
	url := migrated(t)
	_, before := watermark(t, url, "orders")
	o := onDatabase(t, url, "store", "seal", "postgres", "--service", "orders", "--until", "now", "--yes")
	sealed, after := watermark(t, url, "orders")
	want := `service "orders", schema onceward of database NAME on HOST:PORT
server's clock:   TIME
watermark before: none
watermark after:  TIME
`
	if got := times.ReplaceAllString(settled(o.out, url), "TIME"); o.err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", o.err, got, want)
	}
	if sealed < before || sealed > after || !strings.Contains(o.out, "after:  "+shown(sealed)) {
		t.Errorf("watermark %s; the server's clock was between %s and %s; said:\n%s", shown(sealed), shown(before), shown(after), o.out)
	}
	if !strings.Contains(o.notes, "WARNING") || !strings.Contains(o.notes, `"orders"`) {
		t.Errorf("a service without a record is not doubted: %q", o.notes)
	}
	if other, _ := watermark(t, url, "payouts"); other != 0 {
		t.Error("another service is sealed too")
	}

	// A time that is past already changes nothing; one in between raises.
	o = onDatabase(t, "", "store", "seal", "postgres", "--service", "orders", "--until", "2020-01-02T03:04:05+08:00", "--yes", "--dsn", url)
	if still, _ := watermark(t, url, "orders"); o.err != nil || still != sealed || !strings.Contains(o.out, "nothing to do") {
		t.Errorf("%v, %s, watermark %s; want %s still", o.err, o.out, shown(still), shown(sealed))
	}
	o = onDatabase(t, url, "store", "seal", "postgres", "--service", "payouts", "--until", "2020-01-02T03:04:05+08:00", "--yes")
	if got, _ := watermark(t, url, "payouts"); o.err != nil || shown(got) != "2020-01-01T19:04:05.000Z" {
		t.Errorf("%v, watermark %s", o.err, shown(got))
	}
}

func TestSealRefusesTheFuture(t *testing.T) {
	url := migrated(t)
	_, now := watermark(t, url, "orders")
	later := now.Add(time.Minute)
	o := onDatabase(t, url, "store", "seal", "postgres", "--service", "orders", "--until", shown(later), "--yes")
	o.refused(t, "in the future", shown(later), "use now")
	if sealed, _ := watermark(t, url, "orders"); sealed != 0 {
		t.Errorf("sealed until %s", shown(sealed))
	}
	// The clock that counts is the server's, to the millisecond.
	for asked, want := range map[store.Time]store.Time{0: 5000, 4999: 4999, 5000: 5000} {
		if got, err := upTo(asked, 5000); got != want || err != nil {
			t.Errorf("%d is %d, %v; want %d", asked, got, err, want)
		}
	}
	if _, err := upTo(5001, 5000); err == nil {
		t.Error("one millisecond of future is let through")
	}
}

func TestSealRefusesAndSaysWhatToDo(t *testing.T) {
	for want, args := range map[string]string{
		"--service is missing":           "--until now",
		`--until is "": use now`:         "--service orders",
		`--until is "yesterday": use`:    "--service orders --until yesterday",
		`--until is "2026-11-25": use`:   "--service orders --until 2026-11-25",
		`--until is "1969-01-01T`:        "--service orders --until 1969-01-01T00:00:00Z",
		"--service is missing: use":      "",
		"no database: use --dsn, or set": "--service orders --until now",
	} {
		o := onDatabase(t, "", append([]string{"store", "seal", "postgres"}, strings.Fields(args)...)...)
		if o.refused(t, want); o.out != "" {
			t.Errorf("store seal postgres %s wrote %q", args, o.out)
		}
	}
}

// Without --yes nothing is changed where nobody can be asked, whatever comes through the pipe.
func TestSealAsksFirst(t *testing.T) {
	url := migrated(t)
	o := onDatabase(t, url, "store", "seal", "postgres", "--service", "orders", "--until", "now")
	o.refused(t, "not confirmed", "--yes")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd := command(t, "store", "seal", "postgres", "--service", "orders", "--until", "now")
	cmd.Env, cmd.Stdin = append(cmd.Env, databaseVariable+"="+url), null
	if out, err := cmd.CombinedOutput(); exitCode(t, err) != 1 || !strings.Contains(string(out), "say --yes") || !strings.Contains(string(out), "watermark before: none") {
		t.Errorf("with the null device: %v, %s", err, out)
	}
	if sealed, _ := watermark(t, url, "orders"); sealed != 0 {
		t.Errorf("sealed until %s without a confirmation", shown(sealed))
	}
}

func TestOnlyYesConfirms(t *testing.T) {
	cmd := newRoot()
	var asked strings.Builder
	cmd.SetErr(&asked)
	ctx, cancel := context.WithCancel(t.Context())
	cmd.SetContext(ctx)
	for typed, want := range map[string]error{"yes\n": nil, " yes \r\n": nil, "yes": nil, "y\n": errUnconfirmed, "no\nyes\n": errUnconfirmed, "\n": errUnconfirmed, "": errNobody} {
		if err := ask(cmd, strings.NewReader(typed), "Really?"); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", typed, err, want)
		}
	}
	if !strings.HasPrefix(asked.String(), "Really? Type yes: ") {
		t.Errorf("the question is %q", asked.String())
	}
	cancel()
	silent, writer, err := os.Pipe() // nobody types, and a signal ends it
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	defer writer.Close()
	if err := ask(cmd, silent, "Really?"); !errors.Is(err, errUnconfirmed) || !errors.Is(err, context.Canceled) {
		t.Errorf("after a signal: %v", err)
	}
}

func TestClockGapIsNoticed(t *testing.T) {
	here := time.UnixMilli(1_000_000)
	for server, want := range map[store.Time]string{
		1_000_000: "", 1_004_000: "", 996_000: "",
		1_060_000: " (1m0s ahead of this machine's)", 940_000: " (1m0s BEHIND this machine's: is it right?)",
	} {
		if got := clockGap(server, here); got != want {
			t.Errorf("%d: %q, want %q", server, got, want)
		}
	}
}
