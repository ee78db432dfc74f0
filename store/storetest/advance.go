package storetest

import "github.com/onceward/onceward/store"

var advanceCases = []Case{
	{"A1_every_step_may_be_repeated", a1},
	{"A2_start", a2},
	{"A2_start_after_the_lapse", a2Lapsed},
	{"A3_extend", a3},
	{"A3_a_lapsed_lease_stays_lapsed", a3Lapsed},
	{"A4_complete", a4},
	{"A4_complete_after_the_lapse", a4Lapsed},
	{"A4_tombstone", a4Tombstone},
	{"A4_purge_time_counts_from_the_later_of_stamp_and_end", a4PurgeAt},
	{"A4_done_never_changes", a4Done},
	{"A5_late_owner_contradicts_did_not_happen", a5},
	{"A6_yield", a6},
	{"A10_foreign_token_changes_nothing", a10},
	{"A10_absent_record_has_no_owner", a10Absent},
	{"A10_done_is_lost_to_all_but_complete", a10Done},
}

func a1(w *world) {
	r := w.claimed()
	for _, op := range []store.Op{store.OpStart, store.OpExtend, store.OpYield} {
		w.want(w.advance(op, r.Identity, r.Token), store.Applied)
		if op != store.OpYield {
			w.want(w.advance(op, r.Identity, r.Token), store.Applied)
			continue
		}
		once := w.get(r.Identity).Record
		w.want(w.advance(op, r.Identity, r.Token), store.Applied)
		w.same(once)
	}
	done := w.want(w.advance(store.OpComplete, r.Identity, r.Token), store.Applied)
	w.want(w.advance(store.OpComplete, r.Identity, r.Token), store.Applied)
	w.same(done)

	r = w.claimed()
	for range 3 {
		w.want(w.advance(store.OpRelease, r.Identity, r.Token), store.Applied)
		w.absent(r.Identity)
	}
}

func a2(w *world) {
	r := w.claimed()
	a := w.advance(store.OpStart, r.Identity, r.Token, func(q *store.AdvanceRequest) { q.Lease = 2 * long })
	want := r
	want.State, want.Lease, want.Version = store.Started, a.Now.Add(2*long), r.Version+1
	if d := diff(w.want(a, store.Applied), want); d != "" {
		w.Errorf("after start: %s", d)
	}
	w.want(w.advance(store.OpStart, r.Identity, r.Token), store.Applied)
	w.want(w.advance(store.OpStart, r.Identity, w.token()), store.Lost)
	w.same(want)
}

func a2Lapsed(w *world) {
	r := w.lapsed()
	a := w.advance(store.OpStart, r.Identity, r.Token) // nobody took it over: nobody else has acted
	w.wantState(w.want(a, store.Applied), store.Started)
	expect(w, "the new lease", a.Record.Lease, a.Now.Add(long))
	w.want(w.claim(r.Identity, w.token()), store.InFlight)
}

func a3(w *world) {
	for _, r := range []store.Record{w.claimed(), w.started()} {
		a := w.advance(store.OpExtend, r.Identity, r.Token, func(q *store.AdvanceRequest) { q.Lease = 3 * long })
		want := r // a heartbeat is no new version: nobody who waits need wake
		want.Lease = a.Now.Add(3 * long)
		if d := diff(w.want(a, store.Applied), want); d != "" {
			w.Errorf("after extend: %s", d)
		}
		w.same(want)
	}
}

func a3Lapsed(w *world) {
	for _, r := range []store.Record{w.lapsed(), w.unknown()} {
		w.want(w.advance(store.OpExtend, r.Identity, r.Token), store.Lapsed)
		w.same(r)
	}
}

func a4(w *world) {
	for _, r := range []store.Record{w.claimed(), w.started(), w.doubted()} {
		a := w.advance(store.OpComplete, r.Identity, r.Token)
		want := r
		want.State, want.Lease, want.End, want.Reply = store.Done, 0, store.EndReply, []byte("paid")
		want.DoneAt, want.PurgeAt, want.Version = a.Now, a.Now.Add(window+guard), r.Version+1
		if d := diff(w.want(a, store.Applied), want); d != "" {
			w.Errorf("after complete: %s", d)
		}
		w.same(want)
	}
}

func a4Lapsed(w *world) {
	for _, r := range []store.Record{w.lapsed(), w.unknown(), w.unknown(rerun)} {
		w.wantState(w.want(w.advance(store.OpComplete, r.Identity, r.Token), store.Applied), store.Done)
		w.want(w.claim(r.Identity, w.token()), store.Replay)
	}
}

func a4Tombstone(w *world) {
	r := w.started()
	a := w.advance(store.OpComplete, r.Identity, r.Token, func(q *store.AdvanceRequest) {
		q.End, q.Reply = store.EndReplyNotKept, nil
	})
	expect(w, "End", w.want(a, store.Applied).End, store.EndReplyNotKept)
	got := w.want(w.claim(r.Identity, w.token()), store.Replay)
	expect(w, "the replay's End", got.End, store.EndReplyNotKept)
	expect(w, "the length of the reply", len(got.Reply), 0)
}

func a4PurgeAt(w *world) {
	stamp := w.now().Add(long)
	who := w.stamped(stamp)
	r := w.want(w.claim(who, w.token(), func(q *store.ClaimRequest) { q.Guard = 2 * long }), store.Granted)
	r = w.want(w.advance(store.OpComplete, who, r.Token), store.Applied)
	expect(w, "PurgeAt of a key from a fast clock", r.PurgeAt, stamp.Add(window+guard))

	r = w.complete(w.stamped(w.now().Add(-long)))
	expect(w, "PurgeAt of a key minted before", r.PurgeAt, r.DoneAt.Add(window+guard))
}

func a4Done(w *world) {
	r := w.done()
	second := w.advance(store.OpComplete, r.Identity, r.Token, func(q *store.AdvanceRequest) { q.Reply = []byte("paid again") })
	if d := diff(w.want(second, store.Applied), r); d != "" {
		w.Errorf("the answer of a repeated complete: %s", d)
	}
	w.same(r)
}

func a5(w *world) {
	r, late := w.notExecuted()
	a := w.advance(store.OpComplete, r.Identity, late)
	w.want(a, store.Lost)
	b := w.advance(store.OpComplete, r.Identity, late)
	w.want(b, store.Lost)
	w.same(r)
	trail := w.trail(r.ID)
	if len(trail) != 3 {
		w.Fatalf("the trail has %d entries, want the decision and two contradictions", len(trail))
	}
	want := store.Entry{At: a.Now, Who: r.Identity, Action: store.ActionContradiction, Version: r.Version}
	expect(w, "the second entry", trail[1], want)
	want.At = b.Now // each time
	expect(w, "the third entry", trail[2], want)

	// What did happen is no contradiction: nothing was promised.
	u := w.unknown()
	w.want(w.decide(store.Happened, u.Identity, w.token(), atVersion(u.Version)), store.Applied)
	w.want(w.advance(store.OpComplete, u.Identity, u.Token), store.Lost)
	expect(w, "entries after a late complete of what happened", len(w.trail(u.ID)), 1)
}

func a6(w *world) {
	for _, c := range []struct {
		from store.Record
		next store.Verdict // to the next claim
	}{
		{w.claimed(), store.TakenOver}, {w.started(rerun), store.TakenOver}, {w.started(), store.Unknown},
	} {
		a := w.advance(store.OpYield, c.from.Identity, c.from.Token)
		want := c.from
		want.Lease, want.Version = a.Now, c.from.Version+1
		if d := diff(w.want(a, store.Applied), want); d != "" {
			w.Errorf("after yield: %s", d)
		}
		w.want(w.claim(c.from.Identity, w.token()), c.next)
	}
	r := w.unknown()
	w.want(w.advance(store.OpYield, r.Identity, r.Token), store.Applied) // its lease is over already
	w.same(r)
}

var everyOp = []store.Op{store.OpStart, store.OpExtend, store.OpComplete, store.OpYield, store.OpRelease}

func a10(w *world) {
	records := []store.Record{w.claimed(), w.started(), w.doubted(), w.done(), w.lapsed(), w.unknown(), w.unknown(rerun)}
	for _, r := range records {
		for _, op := range everyOp {
			if a := w.advance(op, r.Identity, w.token()); a.Verdict != store.Lost {
				w.Errorf("%v with a foreign token on %s: %v, want lost", op, sketch(r), a.Verdict)
			}
			w.same(r)
		}
	}
	first := w.lapsed() // and the token that was replaced is foreign too
	second := w.want(w.claim(first.Identity, w.token()), store.TakenOver)
	for _, op := range everyOp {
		w.want(w.advance(op, first.Identity, first.Token), store.Lost)
		w.same(second)
	}
}

func a10Absent(w *world) {
	who := w.key()
	for _, op := range []store.Op{store.OpStart, store.OpExtend, store.OpComplete, store.OpYield} {
		w.want(w.advance(op, who, w.token()), store.Lost)
		w.absent(who)
	}
}

func a10Done(w *world) {
	r := w.done()
	for _, op := range []store.Op{store.OpStart, store.OpExtend, store.OpYield, store.OpRelease} {
		w.want(w.advance(op, r.Identity, r.Token), store.Lost)
		w.same(r)
	}
	who, token := w.key(), w.token()
	r = w.want(w.decide(store.Cancel, who, token), store.Applied)
	w.want(w.advance(store.OpComplete, who, token), store.Lost) // the decision's own token completes nothing
	w.same(r)
}
