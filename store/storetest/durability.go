package storetest

import (
	"reflect"
	"testing"

	"github.com/onceward/onceward/store"
)

var durabilityCases = []Case{
	{"X3_traits_are_as_declared", x3Traits},
	{"X3_acknowledged_writes_survive_a_clean_end", x3Reopen},
	{"X3_acknowledged_writes_survive_a_crash", x3Crash},
}

func x3Traits(w *world) {
	if got := w.store.Traits(); !reflect.DeepEqual(got, w.h.Traits) {
		w.Errorf("Traits are\n%+v, want\n%+v", got, w.h.Traits)
	}
}

func x3Reopen(w *world) {
	if w.h.Reopen == nil {
		expect(w, "what a store survives that cannot be reopened", w.store.Traits().Survives, store.SurvivesNothing)
		return
	}
	w.survives(w.h.Reopen)
}

func x3Crash(w *world) {
	switch {
	case w.h.Crash != nil:
		w.survives(w.h.Crash)
	case w.h.Reopen != nil:
		w.Logf("not covered, the store cannot be crashed here: %s", w.h.Uncrashable)
	default:
		expect(w, "what a store survives that cannot be crashed", w.store.Traits().Survives, store.SurvivesNothing)
	}
}

// survives fails unless everything acknowledged is there again: records, marks, watermarks and the trail.
func (w *world) survives(again func(testing.TB, store.Store) store.Store) {
	w.Helper()
	records := []store.Record{w.claimed(), w.started(rerun), w.lapsed(), w.unknown(), w.doubted(), w.done()}
	resolved, late := w.notExecuted()
	records = append(records, resolved)
	at := w.now()
	w.seal("orders", at)
	valid := at.Add(long)
	freed := w.claimed(validUntil(valid))
	w.want(w.advance(store.OpRelease, freed.Identity, freed.Token, markUntil(valid)), store.Applied)
	trail, stats := w.trail(store.ID{}), w.stats("orders")

	for range 2 {
		w.again(again)
		for _, r := range records {
			w.same(r)
		}
		w.absent(freed.Identity)
		w.want(w.claim(freed.Identity, freed.Token, validUntil(valid)), store.Dead)
		w.want(w.claim(w.stamped(at), w.token(), wide), store.Expired)
		if got := w.trail(store.ID{}); !reflect.DeepEqual(got, trail) {
			w.Errorf("the trail is %+v, want %+v", got, trail)
		}
		got := w.stats("orders")
		got.Now, got.Bytes, stats.Now, stats.Bytes = 0, 0, 0, 0
		expect(w, "the count", got, stats)
		if w.now() < at {
			w.Errorf("the store's clock went back from %d to %d", at, w.now())
		}
	}
	w.want(w.advance(store.OpComplete, resolved.Identity, late), store.Lost)
	owner := records[0]
	w.want(w.advance(store.OpComplete, owner.Identity, owner.Token), store.Applied) // an owner that outlived the store
}
