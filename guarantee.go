package onceward

import (
	"fmt"
	"strings"

	"github.com/onceward/onceward/store"
)

// Guarantee is what an executor promises with its store and configuration, and what weakens it.
type Guarantee struct {
	Promise  string   // "at most once" or "at least once"
	Sentence string   // the promise in full
	Weakened []string // sentences
}

// String is the sentence with what weakens it, a line each.
func (g Guarantee) String() string {
	var b strings.Builder
	b.WriteString(g.Sentence)
	for _, w := range g.Weakened {
		b.WriteString("\n  - " + w)
	}
	return b.String()
}

var survives = [...]string{
	store.SurvivesNothing: "is forgotten when the process ends", store.SurvivesCrash: "survives a crash of the process",
	store.SurvivesPowerLoss: "survives power loss",
}

// Guarantee says what holds: the weakest of store, mode and configuration.
func (g *Guard) Guarantee() Guarantee {
	t := g.store.Traits()
	out := Guarantee{Promise: "at most once"}
	lapse := "an operation whose owner is lost is held as unknown until somebody resolves it"
	if g.cfg.OnLapse == Rerun {
		out.Promise = "at least once"
		lapse = "an operation whose owner is lost runs again, so its effects must be idempotent or carry child keys"
	}
	out.Sentence = fmt.Sprintf("%s, replies replayed for %v after completion: %s; what the %s store has acknowledged %s.",
		strings.ToUpper(out.Promise[:1])+out.Promise[1:], g.cfg.Window, lapse, t.Name, survives[t.Survives])
	weaken := func(when bool, sentence string) {
		if when {
			out.Weakened = append(out.Weakened, sentence)
		}
	}
	weaken(t.Survives == store.SurvivesNothing, "After a restart every key is new: a retry that spans it runs again, unless the key has a mint time and the new store began sealed.")
	weaken(t.LossyFailover, "A failover may forget acknowledged claims: a retry that spans it may run again.")
	weaken(!t.Shared, "One process only: two servers with a store each do not know of each other's keys.")
	unstamped := "Keys without a mint time (any but once_… TypeIDs) are remembered for the window only: a copy that comes later runs again."
	if g.cfg.UUIDv7Aged {
		unstamped = "Keys without a mint time (any but once_… TypeIDs and UUIDv7) are remembered for the window only: a copy that comes later runs again."
	}
	weaken(true, unstamped)
	weaken(g.cfg.MaintainEvery == NoMaintenance, "This process does not purge the store; something else has to.")
	out.Weakened = append(out.Weakened, t.Caveats...)
	return out
}
