package storetest

import "github.com/onceward/onceward/store"

var decideCases = []Case{
	{"D1_a_decision_may_be_repeated", d1},
	{"D2_happened", d2Happened},
	{"D2_happened_with_and_without_a_reply", d2Reply},
	{"D2_did_not_happen", d2Not},
	{"D3_only_at_the_version_that_was_looked_at", d3Version},
	{"D3_a_look_at_an_earlier_life_does_not_fit", d3Life},
	{"D3_only_what_is_unknown", d3State},
	{"D4_never_absent_and_safe_only_if_attested_and_stamped", d4},
	{"D6_release_of_a_lapsed_claim", d6},
	{"D6_only_lapsed_claims_at_their_version", d6Refused},
}

var resolutions = []store.Decision{store.Happened, store.DidNotHappen}

func d1(w *world) {
	for _, d := range resolutions {
		u, token := w.unknown(), w.token()
		r := w.want(w.decide(d, u.Identity, token, atVersion(u.Version)), store.Applied)
		w.want(w.decide(d, u.Identity, token, atVersion(u.Version)), store.Applied)
		w.same(r)
		expect(w, "entries of a repeated decision", len(w.trail(u.ID)), 1)
		w.want(w.decide(d, u.Identity, w.token(), atVersion(r.Version)), store.Replay) // another decision comes too late
		w.same(r)
	}
	who, token := w.key(), w.token()
	r := w.want(w.decide(store.Cancel, who, token), store.Applied)
	w.want(w.decide(store.Cancel, who, token), store.Applied)
	w.same(r)
}

func d2Happened(w *world) {
	u, token := w.unknown(), w.token()
	a := w.decide(store.Happened, u.Identity, token, atVersion(u.Version), withReply([]byte("paid by hand")))
	want := u
	want.State, want.Token, want.Lease, want.Version = store.Done, token, 0, u.Version+1
	want.End, want.Reply, want.DoneAt, want.PurgeAt = store.EndReply, []byte("paid by hand"), a.Now, a.Now.Add(window+guard)
	if d := diff(w.want(a, store.Applied), want); d != "" {
		w.Errorf("after the decision: %s", d)
	}
	w.same(want)
	w.wantEntry(want, store.Entry{
		At: a.Now, Who: u.Identity, Action: store.ActionHappened, Version: want.Version,
		Actor: "ops@example.org", Reason: "the bank says so",
	})
}

func d2Reply(w *world) {
	for _, c := range []struct {
		reply []byte
		want  store.End
	}{{[]byte("paid"), store.EndReply}, {[]byte{}, store.EndReply}, {nil, store.EndReplyNotKept}} {
		u := w.unknown()
		w.want(w.decide(store.Happened, u.Identity, w.token(), atVersion(u.Version), withReply(c.reply)), store.Applied)
		r := w.want(w.claim(u.Identity, w.token()), store.Replay)
		expect(w, "End", r.End, c.want)
		expect(w, "the reply", string(r.Reply), string(c.reply))
		expect(w, "SafeNewKey", r.SafeNewKey, false)
	}
}

func d2Not(w *world) {
	u := w.unknown()
	a := w.decide(store.DidNotHappen, u.Identity, w.token(), atVersion(u.Version))
	r := w.want(a, store.Applied)
	expect(w, "End", r.End, store.EndNotExecuted)
	expect(w, "the length of the reply", len(r.Reply), 0)
	w.same(r)
	w.wantEntry(r, store.Entry{
		At: a.Now, Who: u.Identity, Action: store.ActionDidNotHappen, Version: r.Version,
		Actor: "ops@example.org", Reason: "the bank says so",
	})
}

func d3Version(w *world) {
	for _, d := range resolutions {
		u := w.unknown()
		for _, v := range []uint64{u.Version - 1, u.Version + 1} {
			w.want(w.decide(d, u.Identity, w.token(), atVersion(v)), store.Conflict)
			w.same(u)
		}
		expect(w, "entries after refusals", len(w.trail(u.ID)), 0)
	}
}

func d3Life(w *world) {
	first := w.unknown()
	w.want(w.advance(store.OpRelease, first.Identity, first.Token), store.Applied)
	second := w.want(w.claim(first.Identity, w.token(), straight, w.brief), store.Granted)
	w.lapse()
	w.want(w.decide(store.DidNotHappen, first.Identity, w.token(), atVersion(first.Version)), store.Conflict)
	w.same(second)
}

func d3State(w *world) {
	for _, c := range []struct {
		from store.Record
		want store.Verdict
	}{
		{w.claimed(), store.InFlight}, {w.started(), store.InFlight}, {w.done(), store.Replay}, {w.lapsed(), store.Lapsed},
		{store.Record{Identity: w.key()}, store.Absence},
	} {
		for _, d := range resolutions {
			w.want(w.decide(d, c.from.Identity, w.token(), atVersion(c.from.Version)), c.want)
			w.same(c.from)
		}
		expect(w, "entries after refusals", len(w.trail(c.from.ID)), 0)
	}
}

func d4(w *world) {
	for _, c := range []struct {
		from   store.Record
		attest bool
		safe   bool
	}{{w.unknown(), false, false}, {w.unknown(), true, false}, {w.unknownStamped(), false, false}, {w.unknownStamped(), true, true}} {
		attest := func(q *store.DecideRequest) { q.Attested = c.attest }
		w.want(w.decide(store.DidNotHappen, c.from.Identity, w.token(), atVersion(c.from.Version), attest), store.Applied)
		r := w.want(w.get(c.from.Identity), store.Replay)
		w.wantState(r, store.Done)
		expect(w, "SafeNewKey", r.SafeNewKey, c.safe)
		w.want(w.claim(c.from.Identity, w.token(), rerun), store.Replay)
		w.want(w.advance(store.OpStart, c.from.Identity, c.from.Token), store.Lost) // the stalled owner wakes up
	}
}

func d6(w *world) {
	r := w.lapsed()
	a := w.decide(store.ReleaseClaim, r.Identity, w.token(), atVersion(r.Version))
	w.want(a, store.Applied)
	w.absent(r.Identity)
	w.wantEntry(r, store.Entry{
		At: a.Now, Who: r.Identity, Action: store.ActionReleased,
		Actor: "ops@example.org", Reason: "the bank says so",
	})
	w.want(w.advance(store.OpStart, r.Identity, r.Token), store.Lost)
}

func d6Refused(w *world) {
	for _, c := range []struct {
		from store.Record
		want store.Verdict
	}{
		{w.claimed(), store.InFlight}, {w.started(), store.InFlight}, {w.doubted(), store.InFlight}, {w.done(), store.Replay},
		{w.unknown(), store.Unknown}, {w.unknown(rerun), store.Unknown}, {store.Record{Identity: w.key()}, store.Absence},
	} {
		w.want(w.decide(store.ReleaseClaim, c.from.Identity, w.token(), atVersion(c.from.Version)), c.want)
		w.same(c.from)
	}
	r := w.lapsed()
	w.want(w.decide(store.ReleaseClaim, r.Identity, w.token(), atVersion(r.Version+1)), store.Conflict)
	w.same(r)
	expect(w, "entries after refusals", len(w.trail(store.ID{})), 0)
}
