package storetest

import "github.com/onceward/onceward/store"

var cancelCases = []Case{
	{"D5_cancel_of_an_absent_key", d5},
	{"D5_cancel_of_a_lapsed_claim", d5Lapsed},
	{"D5_cancel_tells_what_it_finds", d5Tells},
	{"D5_cancel_of_an_inadmissible_key", d5Inadmissible},
	{"D5_only_an_actors_cancel_is_in_the_trail", d5Trail},
}

func d5(w *world) {
	for _, who := range []store.Identity{w.key(), w.stamped(w.now())} {
		token := w.token()
		a := w.decide(store.Cancel, who, token)
		want := store.Record{
			Identity: who, State: store.Done, Token: token, FirstSeen: a.Now, Version: store.FirstVersion(token), End: store.EndCancelled,
			SafeNewKey: who.Stamp != 0, DoneAt: a.Now, PurgeAt: max(a.Now, who.Stamp).Add(window + guard),
		}
		if d := diff(w.want(a, store.Applied), want); d != "" {
			w.Errorf("after cancel: %s", d)
		}
		w.same(want)
		w.want(w.claim(who, w.token(), straight), store.Replay) // the late copy does not run
	}
}

func d5Lapsed(w *world) {
	r := w.lapsed()
	done := w.want(w.decide(store.Cancel, r.Identity, w.token()), store.Applied)
	expect(w, "End", done.End, store.EndCancelled)
	w.want(w.advance(store.OpStart, r.Identity, r.Token), store.Lost)
	w.want(w.advance(store.OpComplete, r.Identity, r.Token), store.Lost)
	w.same(done)
}

func d5Tells(w *world) {
	for _, c := range []struct {
		from store.Record
		want store.Verdict
	}{
		{w.claimed(), store.InFlight}, {w.started(), store.InFlight}, {w.done(), store.Replay},
		{w.unknown(), store.Unknown}, {w.unknown(rerun), store.Unknown},
	} {
		w.want(w.decide(store.Cancel, c.from.Identity, w.token()), c.want)
		w.same(c.from)
	}
}

func d5Inadmissible(w *world) {
	now := w.now()
	old, far, sealed := w.stamped(now.Add(-2*window)), w.stamped(now.Add(2*guard)), w.stamped(now)
	w.want(w.decide(store.Cancel, old, w.token()), store.Expired)
	w.want(w.decide(store.Cancel, far, w.token()), store.FromFuture)
	w.seal("orders", now)
	w.want(w.decide(store.Cancel, sealed, w.token()), store.Expired)
	for _, who := range []store.Identity{old, far, sealed} {
		w.absent(who)
	}
}

func d5Trail(w *world) {
	w.want(w.decide(store.Cancel, w.key(), w.token()), store.Applied)
	expect(w, "entries after a stranger's cancel", len(w.trail(store.ID{})), 0)

	who := w.key()
	a := w.decide(store.Cancel, who, w.token(), by("ops@example.org", "asked by phone"))
	w.wantEntry(w.want(a, store.Applied), store.Entry{
		At: a.Now, Who: who, Action: store.ActionCancelled, Version: a.Record.Version, Actor: "ops@example.org", Reason: "asked by phone",
	})
}
