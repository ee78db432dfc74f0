package pebble

import (
	"os"
	"testing"

	"github.com/onceward/onceward/bench/rounds"
)

func TestMain(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

// Every measurement runs to its end: the store is killed, opened again, and empty after the purge.
func TestEveryMeasurementRuns(t *testing.T) {
	all, err := MeasureSpeed("", rounds.Plan{Rounds: 1, Ops: 64}, 1, 4)
	if err != nil || len(all) != 2 || all[1].Log.Median() == 0 || all[1].Sync == 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	m, err := MeasureMillion("", 8_000)
	if err != nil {
		t.Fatal(err)
	}
	if m.Written < replySize || m.Stamped == 0 || m.Others == 0 || m.Purge == 0 {
		t.Errorf("%+v", m)
	}
}
