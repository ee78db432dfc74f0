package postgres

import (
	"os"
	"testing"

	"github.com/onceward/onceward/bench/rounds"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// Every way does the work as often as it is asked to: Measure counts the ledger. With few rounds its times mean nothing, its bytes do.
func TestMeasureCountsItsWork(t *testing.T) {
	pgtest.Require(t)
	r, err := Measure(t.Context(), rounds.Plan{Rounds: 1, Ops: 50})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Runs) != len(Callers) || r.WAL < r.BareWAL+float64(len(reply)) {
		t.Errorf("%d runs; %.0f bytes of log with a reply of %d, %.0f without", len(r.Runs), r.WAL, len(reply), r.BareWAL)
	}
}
