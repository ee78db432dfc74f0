package demo

import (
	"errors"
	"testing"
	"time"

	"github.com/onceward/onceward"
)

func TestVerdict(t *testing.T) {
	good := Report{Wanted: 10, Naive: Tally{Effects: 12, Doubled: 2}, Onceward: Tally{Effects: 10}}
	for name, c := range map[string]struct {
		change func(*Report)
		want   error
	}{
		"good":                     {func(*Report) {}, nil},
		"effect doubled":           {func(r *Report) { r.Onceward.Effects = 11 }, ErrWrong},
		"one doubled, one lost":    {func(r *Report) { r.Onceward.Doubled, r.Onceward.Lost = 1, 1 }, ErrWrong},
		"a balance wrong":          {func(r *Report) { r.Onceward.AccountsWrong = 1 }, ErrWrong},
		"a fate told wrongly":      {func(r *Report) { r.Onceward.FatesWrong = 1 }, ErrWrong},
		"a fate unknown":           {func(r *Report) { r.Onceward.Unknown = 1 }, ErrOpen},
		"naive doubled nothing":    {func(r *Report) { r.Naive = Tally{Effects: 10} }, ErrNothing},
		"naive lost and no double": {func(r *Report) { r.Naive = Tally{Effects: 9, Lost: 1} }, ErrNothing},
	} {
		r := good
		c.change(&r)
		if err := r.Verdict(); !errors.Is(err, c.want) {
			t.Errorf("%s: verdict %v, want %v", name, err, c.want)
		}
	}
}

func TestWrongFates(t *testing.T) {
	row := func(number int, key string) entry { return entry{transfer{number: number}, key} }
	for name, c := range map[string]struct {
		told []testimony
		rows []entry
		want int
	}{
		"executed, once":                    {[]testimony{{1, "a", onceward.Executed}}, []entry{row(1, "a")}, 0},
		"executed, never":                   {[]testimony{{1, "a", onceward.Executed}}, nil, 1},
		"executed, twice":                   {[]testimony{{1, "a", onceward.Executed}}, []entry{row(1, "a"), row(1, "a")}, 1},
		"executed, once under each key":     {[]testimony{{1, "b", onceward.Executed}}, []entry{row(1, "a"), row(1, "b")}, 1},
		"not executed":                      {[]testimony{{1, "a", onceward.NotExecuted}}, nil, 0},
		"not executed, but it was":          {[]testimony{{1, "a", onceward.NotExecuted}}, []entry{row(1, "a")}, 1},
		"not executed, then another key":    {[]testimony{{1, "a", onceward.NotExecuted}, {1, "b", onceward.Executed}}, []entry{row(1, "b")}, 0},
		"unknown claims nothing":            {[]testimony{{1, "a", onceward.Unknown}, {2, "b", onceward.Unknown}}, []entry{row(1, "a")}, 0},
		"a transfer told wrongly twice":     {[]testimony{{1, "a", onceward.NotExecuted}, {1, "a", onceward.NotExecuted}}, []entry{row(1, "a")}, 1},
		"an early lie, though it ends well": {[]testimony{{1, "a", onceward.NotExecuted}, {1, "a", onceward.Executed}}, []entry{row(1, "a")}, 1},
	} {
		if got := wrongFates(c.told, c.rows); got != c.want {
			t.Errorf("%s: %d wrong, want %d", name, got, c.want)
		}
	}
}

func TestLatencyOf(t *testing.T) {
	var all []time.Duration
	for i := range 101 {
		all = append(all, time.Duration(100-i)*time.Millisecond)
	}
	if got := latencyOf(all); got != (Latency{P50: 50, P99: 99}) {
		t.Errorf("%+v", got)
	}
	if got := latencyOf(nil); got != (Latency{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestGroup(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -4321: "-4,321", -123: "-123"} {
		if got := group(n); got != want {
			t.Errorf("group(%d) = %q, want %q", n, got, want)
		}
	}
}
