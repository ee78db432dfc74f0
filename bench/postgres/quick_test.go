package postgres

import (
	"context"
	"os"
	"strconv"
	"testing"

	"github.com/onceward/onceward/bench/rounds"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

func TestMeasure(t *testing.T) {
	pgtest.Require(t)
	plan := rounds.Plan{Rounds: 1, Ops: 20}
	if n, _ := strconv.Atoi(os.Getenv("ROUNDS")); n > 0 {
		plan = rounds.Plan{Rounds: n, Ops: 500}
	}
	r, err := Measure(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r.Settings, "fsync", r.Fsync, "WAL", r.WAL, r.BareWAL)
	for _, n := range r.Runs {
		t.Logf("%d: bare %.0f once %.0f naive %.0f: once %.3f naive %.3f allocs %.0f %.0f", n.Callers, n.Bare.Median(), n.Once.Median(), n.Naive.Median(), n.Once.Speed(n.Bare), n.Naive.Speed(n.Bare), n.Bare.Allocs, n.Once.Allocs)
	}
}
