package storetest

import (
	"sync"

	"github.com/onceward/onceward/store"
)

var trailCases = []Case{
	{"T1_one_entry_per_decision", t1},
	{"T1_of_many_decisions_at_once_one_is_taken_and_one_is_told", t1Race},
	{"T1_pages_oldest_first_and_by_id", t1Pages},
}

// trail reads the whole trail of one id; of all with the zero ID.
func (w *world) trail(id store.ID) []store.Entry { w.Helper(); return w.trailPages(id, store.MaxPage) }

func (w *world) trailPages(id store.ID, limit int) (all []store.Entry) {
	w.Helper()
	q := store.TrailRequest{ID: id, Limit: limit}
	for {
		p, err := w.store.Trail(w.ctx, q)
		if err != nil {
			w.Fatalf("Trail: %v", err)
		}
		if len(p.Entries) > limit {
			w.Fatalf("Trail: a page of %d entries, the limit is %d", len(p.Entries), limit)
		}
		if all = append(all, p.Entries...); p.Next == "" {
			return all
		}
		if len(all) > 100_000 {
			w.Fatal("Trail: the pages do not end")
		}
		q.Cursor = p.Next
	}
}

// wantEntry fails unless the record's trail is this entry.
func (w *world) wantEntry(r store.Record, want store.Entry) {
	w.Helper()
	trail := w.trail(r.ID)
	if len(trail) != 1 {
		w.Fatalf("the trail of %s has %d entries, want one", sketch(r), len(trail))
	}
	expect(w, "the entry", trail[0], want)
}

func t1(w *world) {
	for i := range 4 {
		u := w.unknown()
		w.want(w.decide(resolutions[i%2], u.Identity, w.token(), atVersion(u.Version)), store.Applied)
		w.want(w.decide(resolutions[i%2], u.Identity, w.token(), atVersion(u.Version)), store.Replay)
		expect(w, "entries of one decision", len(w.trail(u.ID)), 1)
		expect(w, "entries in all", len(w.trail(store.ID{})), i+1)
	}
}

func t1Race(w *world) {
	for range 5 {
		u := w.unknown()
		var tokens []store.Token
		for range 12 {
			tokens = append(tokens, w.token())
		}
		answers := make([]store.Answer, len(tokens))
		race(len(tokens), func(i int) {
			a, err := w.store.Decide(w.ctx, decideRequest(resolutions[i%2], u.Identity, tokens[i], atVersion(u.Version)))
			if err != nil {
				w.Errorf("Decide: %v", err)
			}
			answers[i] = a
		})
		winners := 0
		for _, a := range answers {
			if a.Verdict == store.Applied {
				winners++
			}
		}
		expect(w, "how many of the decisions were taken", winners, 1)
		expect(w, "entries in the trail", len(w.trail(u.ID)), 1)
	}
}

func t1Pages(w *world) {
	var ids []store.ID
	for range 5 {
		r, late := w.notExecuted()
		w.want(w.advance(store.OpComplete, r.Identity, late), store.Lost)
		ids = append(ids, r.ID)
	}
	for _, limit := range []int{1, 3, store.MaxPage} {
		all := w.trailPages(store.ID{}, limit)
		if len(all) != 2*len(ids) {
			w.Fatalf("the trail has %d entries, want %d", len(all), 2*len(ids))
		}
		for i, e := range all {
			expect(w, "the id of an entry", e.Who.ID, ids[i/2])
			expect(w, "the action of an entry", e.Action, []store.Action{store.ActionDidNotHappen, store.ActionContradiction}[i%2])
		}
		for _, id := range ids {
			expect(w, "entries of one id", len(w.trailPages(id, limit)), 2)
		}
	}
}

// race calls f(0) to f(n-1) at once and returns when all have returned.
func race(n int, f func(int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() { <-start; f(i) })
	}
	close(start)
	all.Wait()
}
