package storetest

import (
	"errors"

	"github.com/onceward/onceward/store"
)

var findCases = []Case{
	{"F1_finds_what_is_there_by_its_id", f1},
}

// f1 holds a store to Find if it is a [store.Finder]. One that is not is a whole store all the same.
func f1(w *world) {
	finder, ok := w.store.(store.Finder)
	if !ok {
		w.Log("this store is no store.Finder")
		return
	}
	find := func(what string, r store.Record, want store.Identity) {
		w.Helper()
		got, err := finder.Find(w.ctx, r.ID)
		if err != nil {
			w.Errorf("Find of %s: %v", what, err)
		}
		expect(w, "what Find finds of "+what, got, want)
	}
	stamped := w.want(w.claim(w.stamped(w.now()), w.token()), store.Granted)
	other := w.want(w.claim(identity("refunds", "bob", "the same", 0), w.token()), store.Granted)
	absent := store.Record{Identity: w.key()}
	for range 2 { // it changes nothing
		for what, r := range map[string]store.Record{
			"a claim": w.claimed(), "a start": w.started(), "a reply": w.done(), "a lapsed claim": w.lapsed(), "an unknown one": w.unknown(),
			"a stamped one": stamped, "another service's": other,
		} {
			find(what, r, r.Identity)
			w.same(r)
		}
		find("an absent one", absent, store.Identity{})
	}
	free := w.claimed()
	w.want(w.advance(store.OpRelease, free.Identity, free.Token), store.Applied)
	find("a released one", free, store.Identity{})
	if err := w.store.Close(); err != nil {
		w.Errorf("Close: %v", err)
	}
	if _, err := finder.Find(w.ctx, stamped.ID); !errors.Is(err, store.ErrClosed) {
		w.Errorf("Find after Close: %v, want ErrClosed", err)
	}
}
