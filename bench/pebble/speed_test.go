package pebble

import (
	"testing"

	"github.com/onceward/onceward/bench/rounds"
)

func TestSpeed(t *testing.T) {
	all, err := MeasureSpeed("", rounds.Plan{Rounds: 5, Ops: 20000}, 1, 64, 256)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		t.Logf("%d writers: store %.0f/s, log %.0f/s, %.2f; sync %v, allocs %.1f", s.Writers, 1e9/s.Store.Median(), 1e9/s.Log.Median(), s.Store.Speed(s.Log), s.Sync, s.Store.Allocs)
	}
}
