package storetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

var randomCases = []Case{
	{"X2_random_sequences_agree_with_the_pure_functions", x2Random},
	{"X2_invalid_requests_change_nothing", x2Invalid},
	{"X2_stats_count_what_is_there", x2Stats},
}

// x2Random walks the store through random sequences beside a model that is driven by the pure functions.
func x2Random(w *world) {
	first, walks, length := uint64(1), 5, 250
	switch {
	case os.Getenv("ONCEWARD_SOAK") != "":
		walks, length = 400, 1000
	case testing.Short(), w.h.Advance == nil:
		walks = 2
	}
	if s := os.Getenv("ONCEWARD_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			w.Fatalf("ONCEWARD_SEED is %q: it must be a number", s)
		}
		first = n
	}
	w.Logf("seeds %d to %d", first, first+uint64(walks)-1)
	w.ctx = w.TB.Context() // many walks take their time, each call must not
	for seed := first; seed < first+uint64(walks); seed++ {
		moves := draw(seed, length)
		failed := w.walk(moves)
		if failed == nil {
			continue
		}
		small, why := w.shrink(moves[:failed.at+1], failed)
		w.Fatalf("seed %d, move %d of %d; run ONCEWARD_SEED=%d to see it again.\n%s\n%s",
			seed, failed.at+1, length, seed, history(small, why), why.text)
	}
}

// move is one move of a walk. All its details are drawn from its own seed and the state that it meets, so that a history
// from which other moves are taken out still makes sense.
type move struct {
	kind moveKind
	seed uint64
}

type moveKind uint8

const (
	moveClaim moveKind = iota
	moveAdvance
	moveDecide
	moveGet
	movePass
	moveSeal
	movePurge
	moveAudit
	moveReopen
	moveCrash
)

// weights says how often each kind is drawn.
var weights = [...]int{
	moveClaim: 30, moveAdvance: 34, moveDecide: 10, moveGet: 3, movePass: 10,
	moveSeal: 1, movePurge: 6, moveAudit: 3, moveReopen: 1, moveCrash: 1,
}

func draw(seed uint64, length int) []move {
	rng := rand.New(rand.NewPCG(seed, 0))
	total := 0
	for _, n := range weights {
		total += n
	}
	moves := make([]move, length)
	for i := range moves {
		n := rng.IntN(total)
		for kind, weight := range weights {
			if n -= weight; n < 0 {
				moves[i] = move{moveKind(kind), rng.Uint64()}
				break
			}
		}
	}
	return moves
}

// shrink takes moves out of a failing history as long as it goes on failing, for a few seconds at most.
func (w *world) shrink(moves []move, failed *divergence) ([]move, *divergence) {
	w.Helper()
	stop := time.Now().Add(3 * time.Second)
	for size := len(moves) / 2; size > 0; size /= 2 {
		for from := 0; from+size < len(moves); {
			if time.Now().After(stop) {
				return moves, failed
			}
			fewer := append(append([]move{}, moves[:from]...), moves[from+size:]...)
			if again := w.walk(fewer); again != nil {
				moves, failed = fewer[:again.at+1], again
			} else {
				from += size
			}
		}
	}
	return moves, failed
}

func history(moves []move, d *divergence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The shortest history found (%d moves):\n", len(moves))
	for i, line := range d.lines {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, line)
	}
	return b.String()
}
