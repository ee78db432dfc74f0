package storetest

import (
	"time"

	"github.com/onceward/onceward/store"
)

var admissionCases = []Case{
	{"C9_older_than_the_window_is_expired", c9Age},
	{"C9_expired_as_time_goes_by", c9Time},
	{"C9_at_or_below_the_watermark_is_expired", c9Seal},
	{"C9_is_checked_before_the_other_reasons", c9Order},
	{"C10_from_the_future", c10},
	{"C11_horizon_longer_than_the_window", c11},
}

func horizon(d time.Duration) claimOption { return func(q *store.ClaimRequest) { q.Horizon = d } }

func c9Age(w *world) {
	now := w.now()
	hour := func(q *store.ClaimRequest) { q.Window = time.Hour }
	old := w.stamped(now.Add(-2 * time.Hour))
	w.want(w.claim(old, w.token(), hour), store.Expired)
	w.absent(old)
	w.want(w.claim(w.stamped(now.Add(-30*time.Minute)), w.token(), hour), store.Granted)
}

func c9Time(w *world) {
	who := w.stamped(w.now())
	w.pass(w.short + time.Millisecond)
	w.want(w.claim(who, w.token(), func(q *store.ClaimRequest) { q.Window = w.short }), store.Expired)
	w.absent(who)
	w.want(w.claim(who, w.token()), store.Granted) // a longer window alone admits it again: only a seal is for ever
}

func c9Seal(w *world) {
	at := w.now()
	below, on, above := w.stamped(at-1), w.stamped(at), w.stamped(at+1)
	w.seal("orders", at)
	for _, who := range []store.Identity{below, on} {
		a := w.claim(who, w.token(), wide)
		w.want(a, store.Expired)
		expect(w, "the answer's watermark", a.Watermark, at)
		w.want(w.get(who), store.Expired)
		w.absent(who)
	}
	w.want(w.claim(above, w.token()), store.Granted)
	w.want(w.claim(identity("refunds", "alice", "key", at), w.token()), store.Granted) // another service's key
	w.want(w.claim(w.key(), w.token()), store.Granted)                                 // unstamped: the weaker promise
}

func c9Order(w *world) {
	far := w.now().Add(long)
	w.seal("orders", far)
	who := w.stamped(far)
	w.want(w.claim(who, w.token(), horizon(2*window)), store.Expired) // also from the future, also too long a horizon
	w.absent(who)
}

func c10(w *world) {
	who := w.stamped(w.now().Add(2 * guard))
	w.want(w.claim(who, w.token()), store.FromFuture)
	w.want(w.claim(who, w.token(), horizon(2*window)), store.FromFuture)
	w.absent(who)
	w.want(w.claim(who, w.token(), func(q *store.ClaimRequest) { q.Guard = 3 * guard }), store.Granted)
}

func c11(w *world) {
	for _, who := range []store.Identity{w.key(), w.stamped(w.now())} {
		w.want(w.claim(who, w.token(), horizon(window+1)), store.HorizonTooLong)
		w.absent(who)
		w.want(w.claim(who, w.token(), horizon(window)), store.Granted)
		w.want(w.claim(who, w.token(), horizon(window+1)), store.InFlight) // only of an absent record
	}
}
