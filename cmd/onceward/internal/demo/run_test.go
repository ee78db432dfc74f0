package demo

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// small is enough to double something with any seed: about a third of the naive transfers are.
func small(seed uint64) Config { return Config{Requests: 200, Clients: 16, Loss: 0.3, Seed: seed} }

func mustRun(t *testing.T, cfg Config) Report {
	t.Helper()
	t.Logf("seed %d", cfg.Seed)
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNaiveDoublesAndOncewardDoesNot(t *testing.T) {
	r := mustRun(t, small(7))
	n, o := r.Naive, r.Onceward
	if err := r.Verdict(); err != nil {
		t.Fatal(err)
	}
	if n.Effects <= r.Wanted || n.Doubled < 40 || n.MoneyFromNowhere <= 0 || n.AccountsWrong < 40 || n.FatesWrong < n.Doubled {
		t.Errorf("naive: %+v; a third of its transfers should be doubled, and reported as if they were not", n)
	}
	if o.Effects != 200 || o.Doubled+o.Lost+o.FatesWrong+o.Unknown+o.GaveUp+o.AccountsWrong != 0 || o.MoneyFromNowhere != 0 {
		t.Errorf("onceward: %+v; every transfer should have happened once, and its client should know", o)
	}
	if o.Replays < n.Doubled/2 || n.Replays != 0 {
		t.Errorf("%d replays with onceward, %d without; the transfers that were doubled without it should be replayed with it", o.Replays, n.Replays)
	}
	for name, tally := range map[string]Tally{"naive": n, "onceward": o} {
		if tally.Network.RepliesLost == 0 || tally.Network.RequestsLost == 0 || tally.Retries == 0 || tally.Latency.P50 <= 0 || tally.Latency.P99 < tally.Latency.P50 {
			t.Errorf("%s: %+v; losses, retries or latencies are not counted", name, tally)
		}
	}
}

func TestTheSameSeedMeetsTheSameFaults(t *testing.T) {
	// The naive client's sends follow from the faults alone.
	first, again, other := mustRun(t, small(7)).Naive, mustRun(t, small(7)).Naive, mustRun(t, small(8)).Naive
	same := func(a, b Tally) bool {
		return a.Effects == b.Effects && a.Doubled == b.Doubled && a.Retries == b.Retries && a.Network == b.Network && a.MoneyFromNowhere == b.MoneyFromNowhere
	}
	if !same(first, again) {
		t.Errorf("seed 7 twice:\n%+v\n%+v", first, again)
	}
	if same(first, other) {
		t.Errorf("seeds 7 and 8 met the same faults: %+v", first)
	}
}

// The demo must see a server that does not deduplicate, although its clients send keys.
func TestABrokenServerIsReported(t *testing.T) {
	cfg := small(7)
	cfg.unguarded = true
	r := mustRun(t, cfg)
	if err := r.Verdict(); !errors.Is(err, ErrWrong) {
		t.Errorf("verdict %v, want ErrWrong", err)
	}
	if o := r.Onceward; o.Doubled == 0 || o.FatesWrong < o.Doubled || o.Replays != 0 {
		t.Errorf("the server without a guard: %+v", o)
	}
}

func TestUnknownOperationsAreSentAgainUntilTheyAreKnown(t *testing.T) {
	cfg := Config{Requests: 60, Clients: 30, Loss: 0.8, Seed: 11}
	o := mustRun(t, cfg).Onceward
	if o.UnknownOnTheWay == 0 {
		t.Fatalf("no send ended unknown: %+v", o)
	}
	if o.Effects != 60 || o.Doubled+o.Lost+o.Unknown+o.FatesWrong != 0 {
		t.Errorf("after %d sends that ended unknown: %+v", o.UnknownOnTheWay, o)
	}
}

func TestTheTimeLimitLeavesFatesOpen(t *testing.T) {
	cfg := small(7)
	cfg.TimeLimit = time.Nanosecond
	r := mustRun(t, cfg)
	if err := r.Verdict(); !errors.Is(err, ErrOpen) || r.Onceward.Unknown != 200 {
		t.Errorf("unknown %d, verdict %v", r.Onceward.Unknown, err)
	}
}

func TestAnInterruptStopsTheRun(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	cfg := small(7)
	cfg.Progress = func(p Progress) {
		if p.Run == "onceward" && p.Settled == 20 {
			interrupt(interrupted)
		}
	}
	if _, err := Run(ctx, cfg); !errors.Is(err, interrupted) {
		t.Errorf("error %v", err)
	}
}

func TestProgressCountsEveryTransferOfBothRuns(t *testing.T) {
	cfg := small(7)
	seen := map[string][]int{}
	cfg.Progress = func(p Progress) { seen[p.Run] = append(seen[p.Run], p.Settled) }
	mustRun(t, cfg)
	for _, name := range []string{"naive", "onceward"} {
		if got := seen[name]; len(got) != 201 || got[0] != 0 || got[200] != 200 || !slices.IsSorted(got) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	_, err := Run(t.Context(), Config{Requests: 0, Clients: MaxClients + 1, Loss: 1.5, TimeLimit: -1})
	if !errors.Is(err, ErrConfig) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"requests is 0", "clients is 513", "loss is 1.5", "time limit is"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestJSONKeepsItsNames(t *testing.T) {
	text, err := json.Marshal(Report{Seed: 7, Wanted: 3, Naive: Tally{Effects: 5}, Onceward: Tally{Effects: 3, Unknown: 1, Replays: 2}})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Seed     uint64
		Wanted   int
		Naive    map[string]any
		Onceward map[string]any
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Seed != 7 || got.Wanted != 3 || got.Naive["effects"] != 5.0 || got.Onceward["effects"] != 3.0 || got.Onceward["unknown"] != 1.0 || got.Onceward["replays"] != 2.0 {
		t.Errorf("%s", text)
	}
	for _, name := range []string{"doubled", "lost", "fates_wrong", "unknown_on_the_way", "money_from_nowhere", "retries", "latency_ms", "network"} {
		if _, ok := got.Onceward[name]; !ok {
			t.Errorf("%q is missing in onceward", name)
		}
		if _, ok := got.Naive[name]; !ok {
			t.Errorf("%q is missing in naive", name)
		}
	}
}

func TestTextFitsATerminal(t *testing.T) {
	r := mustRun(t, small(7))
	var b strings.Builder
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"200 transfers", "--seed 7", "money from nowhere", "✗ lost", "AGAIN", "same key", "201, replayed", "made each of them once", "Read next"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in:\n%s", want, b.String())
		}
	}
}
