package redis

import (
	"os"
	"testing"

	"github.com/onceward/onceward/bench/rounds"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

// Every way does its work: each answer is looked at. With few rounds the times mean nothing, the bytes do.
func TestMeasureLooksAtItsAnswers(t *testing.T) {
	redistest.Require(t)
	r, err := Measure(t.Context(), rounds.Plan{Rounds: 1, Ops: 20}, 5_000)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Runs) != 3 || r.Runs[0].Durable || !r.Runs[2].Durable {
		t.Errorf("%d runs", len(r.Runs))
	}
	if over := r.Memory.Once - r.Memory.Bare - r.Memory.Fields; over > 64 || over < -64 {
		t.Errorf("a record takes %.0f bytes over its fields and a bare reply", over)
	}
}
