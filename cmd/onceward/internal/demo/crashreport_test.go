package demo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// fine is a report about which there is nothing to say.
func fine() CrashReport {
	return CrashReport{Seed: 7, Wanted: 100, Clients: 4, Kills: Kills{1, 1, 1}, Onceward: CrashTally{
		Effects: 95, Answered: 90, Unknown: 10, InFlight: 12, Resolved: Resolved{Happened: 5, DidNotHappen: 5}, Replays: 91,
	}}
}

func TestCrashVerdict(t *testing.T) {
	if err := fine().Verdict(); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		spoil func(*CrashTally)
		want  error
	}{
		"doubled":          {func(o *CrashTally) { o.Doubled = 1 }, ErrWrong},
		"a lie":            {func(o *CrashTally) { o.FatesWrong = 1 }, ErrWrong},
		"another reply":    {func(o *CrashTally) { o.RepliesDiffer = 1 }, ErrWrong},
		"lost":             {func(o *CrashTally) { o.Effects = 89 }, ErrWrong},
		"not listed":       {func(o *CrashTally) { o.Unlisted = 1 }, ErrOpen},
		"left":             {func(o *CrashTally) { o.UnknownLeft = 1 }, ErrOpen},
		"too many unknown": {func(o *CrashTally) { o.InFlight = 9 }, ErrOpen},
		"shows nothing":    {func(o *CrashTally) { o.Unknown, o.Effects = 2, 100 }, errNoKill},
	} {
		r := fine()
		c.spoil(&r.Onceward)
		if err := r.Verdict(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestCrashTextFitsATerminal(t *testing.T) {
	r := fine()
	r.Seed, r.Wanted, r.Clients, r.Onceward.Effects = 1<<32-1, MaxRequests, MaxClients, MaxRequests
	var b strings.Builder
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if utf8.RuneCountInString(line) > 101 {
			t.Errorf("too long: %q", line)
		}
	}
	if !strings.Contains(b.String(), "Nothing was done twice") {
		t.Error(b.String())
	}
}

func TestLedgerFileGoesOnAfterAKill(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ledger")
	for life := range 2 {
		l, err := openLedgerFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if row := l.move(transfer{number: i, from: 1, to: 2, amount: 5}, "k"); row != 2*life+i+1 {
				t.Errorf("life %d, transfer %d: row %d", life, i, row)
			}
		}
		l.file.Close()
	}
	rows, err := readLedgerFile(name)
	if err != nil || len(rows) != 4 || rows[3] != (entry{transfer{number: 1, from: 1, to: 2, amount: 5}, "k"}) {
		t.Errorf("%+v, %v", rows, err)
	}
	if err := os.WriteFile(name, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openLedgerFile(name); err == nil {
		t.Error("a line that is no transfer is read")
	}
}
