package storetest

import (
	"time"

	"github.com/onceward/onceward/store"
)

var staleCases = []Case{
	{"C12_late_copy_creates_nothing", c12},
	{"C12_late_copy_takes_nothing_over", c12Takeover},
	{"C12_late_copy_is_still_answered", c12Found},
	{"C13_released_token_creates_nothing", c13},
	{"C13_released_token_takes_nothing_over", c13Takeover},
	{"C13_only_while_the_mark_lives", c13Over},
}

func c12(w *world) {
	who, now := w.key(), w.now()
	w.want(w.claim(who, w.token(), validUntil(now-1)), store.Stale)
	w.absent(who)
	w.want(w.claim(who, w.token(), validUntil(now.Add(long))), store.Granted)
}

func c12Takeover(w *world) {
	for _, r := range []store.Record{w.lapsed(), w.unknown(rerun)} {
		w.want(w.claim(r.Identity, w.token(), validUntil(w.now()-1)), store.Stale)
		w.same(r)
	}
}

func c12Found(w *world) {
	late := validUntil(w.now() - 1)
	w.want(w.claim(w.done().Identity, w.token(), late), store.Replay)
	w.want(w.claim(w.started().Identity, w.token(), late), store.InFlight)
	w.want(w.claim(w.unknown().Identity, w.token(), late), store.Unknown)
}

func c13(w *world) {
	valid := w.now().Add(long)
	r := w.claimed(validUntil(valid))
	w.want(w.advance(store.OpRelease, r.Identity, r.Token, markUntil(valid)), store.Applied)
	w.want(w.claim(r.Identity, r.Token, validUntil(valid)), store.Dead)
	w.absent(r.Identity)
	w.want(w.claim(r.Identity, w.token(), validUntil(valid)), store.Granted) // another copy's own token
}

func c13Takeover(w *world) {
	for _, r := range []store.Record{w.lapsed(), w.unknown(rerun)} {
		dead, valid := w.token(), w.now().Add(long)
		w.want(w.advance(store.OpRelease, r.Identity, dead, markUntil(valid)), store.Lost)
		w.want(w.claim(r.Identity, dead, validUntil(valid)), store.Dead)
		w.same(r)
	}
}

func c13Over(w *world) {
	who, token := w.key(), w.token()
	valid := w.now().Add(w.short)
	w.want(w.advance(store.OpRelease, who, token, markUntil(valid)), store.Applied)
	w.pass(w.short + 2*time.Millisecond)
	w.want(w.claim(who, token, validUntil(valid)), store.Stale) // the bound of the claim takes over from the mark
	w.absent(who)
}
