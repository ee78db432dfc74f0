package storetest

import "github.com/onceward/onceward/store"

var claimCases = []Case{
	{"C1_absent_is_granted", c1},
	{"C1_straight_into_started", c1Straight},
	{"C2_own_token_finds_its_claim", c2},
	{"C2_own_token_finds_its_claim_when_lapsed", c2Lapsed},
	{"C3_other_request_in_every_state", c3},
	{"C3_the_records_version_of_the_fingerprint_counts", c3Versions},
	{"C3_cancelled_key_has_no_fingerprint", c3Cancelled},
	{"C4_done_is_replayed", c4},
	{"C5_open_is_in_flight", c5},
	{"C6_lapsed_claim_is_taken_over", c6},
	{"C6_takeover_into_started_is_not_doubted", c6Straight},
	{"C6_a_sealed_claim_is_not_taken_over", c6Sealed},
	{"C7_unknown_is_held_whatever_the_request_says", c7},
	{"C8_rerun_is_taken_over_whatever_the_request_says", c8},
}

func c1(w *world) {
	who, token := w.key(), w.token()
	a := w.claim(who, token)
	r := w.want(a, store.Granted)
	want := store.Record{
		Identity: who, Fingerprint: print(1, "pay 5"), Hint: 7, State: store.Claimed, Token: token,
		Lease: a.Now.Add(long), Claims: 1, FirstSeen: a.Now, Version: store.FirstVersion(token),
	}
	if d := diff(r, want); d != "" {
		w.Errorf("the answer's record: %s", d)
	}
	w.same(want)
}

func c1Straight(w *world) {
	r := w.started(rerun)
	w.wantState(r, store.Started)
	expect(w, "Policy", r.Policy, store.Rerun)
	expect(w, "Doubted", r.Doubted, false)
	w.same(r)
}

func c2(w *world) {
	for _, r := range []store.Record{w.claimed(), w.started()} {
		w.want(w.claim(r.Identity, r.Token, straight, rerun), store.Granted)
		w.same(r)
	}
}

func c2Lapsed(w *world) {
	for _, r := range []store.Record{w.lapsed(), w.unknown(), w.unknown(rerun)} {
		a := w.claim(r.Identity, r.Token, validUntil(1)) // even a copy that comes late
		w.want(a, store.Granted)
		w.same(r)
	}
}

func c3(w *world) {
	records := []store.Record{w.claimed(), w.started(), w.done(), w.lapsed(), w.unknown(), w.unknown(rerun)}
	for _, r := range records {
		for _, token := range []store.Token{r.Token, w.token()} {
			w.want(w.claim(r.Identity, token, other, validUntil(1)), store.Mismatch)
			w.same(r)
		}
	}
}

func c3Versions(w *world) {
	send := func(prints ...store.Fingerprint) claimOption {
		return func(q *store.ClaimRequest) { q.Fingerprints = prints }
	}
	r := w.claimed(send(print(2, "pay 5"), print(1, "pay 5")))
	expect(w, "the stored version of the fingerprint", r.Fingerprint.Version, 2)
	for _, c := range []struct {
		send claimOption
		want store.Verdict
	}{
		{send(print(3, "pay 5"), print(2, "pay 5")), store.InFlight},
		{send(print(2, "pay 9"), print(1, "pay 5")), store.Mismatch},
		{send(print(3, "pay 5"), print(1, "pay 5")), store.Incomparable},
		{send(), store.Incomparable},
	} {
		w.want(w.claim(r.Identity, w.token(), c.send), c.want)
		w.same(r)
	}
}

func c3Cancelled(w *world) {
	who := w.key()
	w.want(w.decide(store.Cancel, who, w.token()), store.Applied)
	w.want(w.claim(who, w.token()), store.Replay)
	w.want(w.claim(who, w.token(), other), store.Replay)
}

func c4(w *world) {
	r := w.done()
	for _, token := range []store.Token{w.token(), r.Token} {
		got := w.want(w.claim(r.Identity, token), store.Replay)
		if d := diff(got, r); d != "" {
			w.Errorf("the replay: %s", d)
		}
	}
	expect(w, "the replayed reply", string(w.claim(r.Identity, w.token()).Record.Reply), "paid")
}

func c5(w *world) {
	for _, r := range []store.Record{w.claimed(), w.started(), w.started(rerun)} {
		w.want(w.claim(r.Identity, w.token(), rerun), store.InFlight)
		w.same(r)
	}
}

func c6(w *world) {
	first := w.lapsed()
	token := w.token()
	a := w.claim(first.Identity, token, rerun, func(q *store.ClaimRequest) {
		q.Fingerprints = []store.Fingerprint{print(2, "pay 5"), print(1, "pay 5")}
		q.Hint = 8
	})
	want := first // fingerprint, policy, hint and first sight are the first's
	want.Token, want.Lease, want.Claims, want.Version = token, a.Now.Add(long), 2, store.FirstVersion(token)
	if d := diff(w.want(a, store.TakenOver), want); d != "" {
		w.Errorf("after the takeover: %s", d)
	}
	w.same(want)
	w.want(w.advance(store.OpStart, first.Identity, first.Token), store.Lost)
}

func c6Sealed(w *world) {
	who := w.stamped(w.now())
	r := w.want(w.claim(who, w.token(), w.brief), store.Granted)
	w.lapse()
	w.seal("orders", who.Stamp)
	w.want(w.claim(who, w.token()), store.Expired)
	w.want(w.decide(store.Cancel, who, w.token()), store.Expired)
	w.same(r)
	w.want(w.claim(who, r.Token), store.Granted) // its owner is its owner
}

func c6Straight(w *world) {
	first := w.lapsed()
	r := w.want(w.claim(first.Identity, w.token(), straight), store.TakenOver)
	w.wantState(r, store.Started)
	expect(w, "Doubted", r.Doubted, false)
}

func c7(w *world) {
	r := w.unknown()
	w.want(w.claim(r.Identity, w.token(), straight), store.Unknown)
	w.want(w.claim(r.Identity, w.token(), straight, rerun), store.Unknown)
	w.same(r)
}

func c8(w *world) {
	for _, request := range []claimOption{rerun, func(*store.ClaimRequest) {}} {
		first := w.unknown(rerun)
		r := w.want(w.claim(first.Identity, w.token(), request), store.TakenOver)
		w.wantState(r, store.Started) // never back to Claimed: an effect may have happened
		expect(w, "Doubted", r.Doubted, true)
		expect(w, "Policy", r.Policy, store.Rerun)
		w.same(r)
	}
}
