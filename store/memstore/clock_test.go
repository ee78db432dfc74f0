package memstore

import (
	"testing"
	"time"
)

func TestClockStandsStillRatherThanGoingBack(t *testing.T) {
	var source fakeClock
	c := clock{source: source.now}
	first := c.now()
	for _, move := range []struct{ by, want time.Duration }{{time.Second, time.Second}, {-time.Hour, time.Second}, {time.Hour + time.Second, 2 * time.Second}} {
		source.pass(move.by)
		if got := c.now().Sub(first); got != move.want {
			t.Errorf("after a move by %v the clock shows +%v, want +%v", move.by, got, move.want)
		}
	}
}
