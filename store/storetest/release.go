package storetest

import (
	"time"

	"github.com/onceward/onceward/store"
)

var releaseCases = []Case{
	{"A7_release_makes_absent", a7},
	{"A8_doubted_record_is_yielded", a8},
	{"A9_mark_after_every_finding", a9},
	{"A9_mark_ends_with_its_time", a9Over},
	{"A9_a_second_release_does_not_shorten_the_mark", a9Max},
	{"A9_no_bound_no_mark", a9None},
}

func a7(w *world) {
	for _, r := range []store.Record{w.claimed(), w.started(), w.lapsed(), w.unknown()} {
		a := w.advance(store.OpRelease, r.Identity, r.Token)
		w.wantState(w.want(a, store.Applied), store.Absent)
		w.absent(r.Identity)
		token := w.token()
		second := w.want(w.claim(r.Identity, token, other), store.Granted) // a new life, with a fingerprint and versions of its own
		expect(w, "Version of the new life", second.Version, store.FirstVersion(token))
	}
}

func a8(w *world) {
	r := w.doubted()
	a := w.advance(store.OpRelease, r.Identity, r.Token)
	want := r
	want.Lease, want.Version = a.Now, r.Version+1
	if d := diff(w.want(a, store.Yielded), want); d != "" {
		w.Errorf("after the release of a doubted record: %s", d)
	}
	w.same(want)
}

// a9 releases a token in every situation; wherever the key becomes free afterwards, the token stays dead.
func a9(w *world) {
	valid := w.now().Add(2 * long)
	own, foreign, empty, doubted := w.claimed(), w.claimed(), w.key(), w.doubted()
	loser, never := w.token(), w.token()
	w.want(w.advance(store.OpRelease, own.Identity, own.Token, markUntil(valid)), store.Applied)
	w.want(w.advance(store.OpRelease, foreign.Identity, loser, markUntil(valid)), store.Lost)
	w.want(w.advance(store.OpRelease, empty, never, markUntil(valid)), store.Applied)
	w.want(w.advance(store.OpRelease, doubted.Identity, doubted.Token, markUntil(valid)), store.Yielded)

	w.want(w.advance(store.OpRelease, foreign.Identity, foreign.Token), store.Applied)
	for _, c := range []struct {
		who   store.Identity
		token store.Token
	}{{own.Identity, own.Token}, {foreign.Identity, loser}, {empty, never}} {
		w.want(w.claim(c.who, c.token, validUntil(valid)), store.Dead)
		w.absent(c.who)
	}
	next := w.want(w.claim(doubted.Identity, w.token(), w.brief), store.TakenOver)
	w.lapse()
	w.want(w.claim(doubted.Identity, doubted.Token, validUntil(valid)), store.Dead)
	w.same(next)
}

func a9Over(w *world) {
	who, token := w.key(), w.token()
	w.want(w.advance(store.OpRelease, who, token, markUntil(w.now().Add(w.short))), store.Applied)
	w.pass(w.short + 2*time.Millisecond)
	w.want(w.claim(who, token), store.Granted)
}

func a9Max(w *world) {
	who, token, now := w.key(), w.token(), w.now()
	w.want(w.advance(store.OpRelease, who, token, markUntil(now.Add(2*long))), store.Applied)
	w.want(w.advance(store.OpRelease, who, token, markUntil(now.Add(w.short))), store.Applied)
	w.want(w.advance(store.OpRelease, who, token), store.Applied)
	w.pass(w.short + 2*time.Millisecond)
	w.want(w.claim(who, token), store.Dead)
}

func a9None(w *world) {
	who, token := w.key(), w.token()
	w.want(w.advance(store.OpRelease, who, token), store.Applied)
	w.want(w.claim(who, token), store.Granted)
}
