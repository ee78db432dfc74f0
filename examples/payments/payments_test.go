package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// Started with this in its environment, the test binary is the command.
const asCommand = "PAYMENTS_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(pgtest.Main(m))
}

// command runs payments as a process of its own, with the seed in ONCEWARD_SEED or a new one, and returns what it prints.
func command(t *testing.T, args ...string) (stdout string, status int) {
	t.Helper()
	seed := strconv.FormatUint(uint64(rand.Uint32()), 10)
	if fixed := os.Getenv("ONCEWARD_SEED"); fixed != "" {
		seed = fixed
	}
	t.Logf("ONCEWARD_SEED=%s", seed)
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-seed", seed}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=yes")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if errs.Len() > 0 {
		t.Logf("stderr: %s", errs.Bytes())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// wantLines checks that these stand in the text, in this order.
func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	rest := text
	for _, line := range lines {
		_, after, ok := strings.Cut(rest, line)
		if !ok {
			t.Fatalf("no %q in its place in:\n%s", line, text)
		}
		rest = after
	}
}

// story is what both walks tell.
var story = []string{
	"1. The transfer is committed, and the reply is lost", "loses the reply", "cut off: done or not?", `201 {"booking":1}, replayed`, `"rent" is booked once`,
	"2. The request is lost", "does not arrive", `"lunch" is booked once`,
	"3. A copy comes", ", replayed", `"books" is booked once`,
	"4. The process dies", "dies after", `"shoes" is booked TWICE`,
	"5. The process dies", "dies after", `"hat" is booked once`,
	"6. The same key", "422 key-reused, safe_new_key false", `"taxi" is booked once`,
	"7. There is not enough", "402 ", "402 ", "replayed", `"boat" is booked not at all`,
	"8. A payout", `"key money" TWICE`, `"deposit" is paid, taken 1 time(s)`, `has paid "deposit" once`,
	"9. The worker dies", `"tooth" is paid, taken 2 time(s)`, `has paid "tooth" once`,
	"10. The provider declines", `"gift, returned" is booked once`, `has paid "gift" not at all`,
	"11. A storm", "The books", "ok ", "ok ", "ok ", "ok ",
}

func TestWalkInPostgres(t *testing.T) {
	pgtest.Require(t)
	text, status := command(t)
	if status != 0 || strings.Contains(text, "WRONG") {
		t.Errorf("status %d:\n%s", status, text)
	}
	wantLines(t, text, append([]string{"PostgreSQL ", "Exactly once in this database"}, story...)...)
	if n := strings.Count(text, "signal: killed"); n != 2 {
		t.Errorf("%d processes were killed, want 2:\n%s", n, text)
	}
}

// The walk in memory says what is weaker, and shows it.
func TestWalkInMemory(t *testing.T) {
	text, status := command(t, "-store", "memory")
	if status != 0 || strings.Contains(text, "WRONG") {
		t.Errorf("status %d:\n%s", status, text)
	}
	wantLines(t, text, append([]string{"WEAKER", "all keys are forgotten", "not rolled back", "at most once", "One process only", "At most once"}, story...)...)
	wantLines(t, text, "nothing undoes them", "409 outcome-unknown", "its fate: unknown", "operator", `201 {"resolved":"booked"}, replayed`)
}

func TestChooseMemory(t *testing.T) {
	for _, c := range []struct {
		where   string
		missing error
		ci      bool
		memory  bool
		err     bool
	}{
		{where: "auto"},
		{where: "postgres"},
		{where: "memory", memory: true},
		{where: "auto", missing: pgtest.ErrMissing, memory: true},
		{where: "postgres", missing: pgtest.ErrMissing, err: true},
		{where: "auto", missing: pgtest.ErrMissing, ci: true, err: true},
		{where: "memory", missing: pgtest.ErrMissing, ci: true, memory: true}, // somebody has said so
		{where: "disk", err: true},
	} {
		memory, err := chooseMemory(c.where, c.missing, c.ci)
		if memory != c.memory || (err != nil) != c.err {
			t.Errorf("%+v: memory %v, %v", c, memory, err)
		}
	}
	if _, status := command(t, "-store", "disk"); status != 1 {
		t.Errorf("status %d", status)
	}
}
