package storetest

import (
	"errors"
	"testing"

	"github.com/onceward/onceward/store"
)

var capacityCases = []Case{
	{"C14_full_creates_nothing_and_evicts_nothing", c14},
	{"C14_full_goes_on_with_what_it_has", c14Goes},
	{"C14_a_purge_makes_room", c14Room},
	{"A11_replies_of_accepted_claims_have_room", a11},
	{"D7_full_creates_no_cancelled_record", d7},
}

const reserve = 512

func reserved(q *store.ClaimRequest) { q.Reserve = reserve }

// full opens a full store around the records of the case: first makes them, then claims are made until none has room.
// It returns false for a store without a bound, which must then say so.
func (w *world) full(first func()) (last store.Identity, ok bool) {
	w.Helper()
	if w.h.Full == nil {
		if s := w.stats(""); s.MaxRecords != 0 || s.MaxBytes != 0 {
			w.Fatalf("the store says that it has a bound (%d records, %d bytes): the harness needs Full", s.MaxRecords, s.MaxBytes)
		}
		w.Log("the store has no bound of its own, and says so")
		return last, false
	}
	w.open(func(t testing.TB) store.Store { return w.h.Full(t) })
	first()
	for range 2000 {
		last = w.key()
		a, err := w.store.Claim(w.ctx, claimRequest(last, w.token(), reserved))
		switch {
		case errors.Is(err, store.ErrFull):
			return last, true
		case err != nil:
			w.Fatalf("Claim: %v", err)
		}
		w.want(a, store.Granted)
	}
	w.Fatal("2,000 claims had room: Harness.Full should open a smaller store")
	return last, false
}

func c14(w *world) {
	var kept []store.Record
	refused, ok := w.full(func() {
		kept = append(kept, w.claimed(reserved), w.started(reserved), w.done(), w.done(w.soon), w.unknown(reserved))
	})
	if !ok {
		return
	}
	w.absent(refused)
	for range 20 {
		who := w.key()
		if _, err := w.store.Claim(w.ctx, claimRequest(who, w.token(), reserved)); !errors.Is(err, store.ErrFull) {
			w.Fatalf("Claim in a full store: %v, want ErrFull", err)
		}
		w.absent(who)
	}
	for _, r := range kept {
		w.same(r)
	}
}

func c14Goes(w *world) {
	var open, done, lapsed, unknown, again store.Record
	if _, ok := w.full(func() {
		open, done, lapsed = w.claimed(reserved), w.done(), w.claimed(reserved, w.brief)
		unknown, again = w.started(reserved, w.brief), w.started(reserved, w.brief, rerun)
		w.lapse()
	}); !ok {
		return
	}
	w.want(w.claim(open.Identity, open.Token, reserved), store.Granted)        // C2
	w.want(w.claim(open.Identity, w.token(), reserved, other), store.Mismatch) // C3
	w.want(w.claim(done.Identity, w.token(), reserved), store.Replay)          // C4
	w.want(w.claim(open.Identity, w.token(), reserved), store.InFlight)        // C5
	w.want(w.claim(lapsed.Identity, w.token(), reserved), store.TakenOver)     // C6
	w.want(w.claim(unknown.Identity, w.token(), reserved), store.Unknown)      // C7
	w.want(w.claim(again.Identity, w.token(), reserved), store.TakenOver)      // C8
}

func c14Room(w *world) {
	if _, ok := w.full(func() { w.done(w.soon); w.done(w.soon); w.done(w.soon) }); !ok {
		return
	}
	w.over()
	expect(w, "how many are removed", w.purge(), 3)
	w.want(w.claim(w.key(), w.token(), reserved), store.Granted)
}

func a11(w *world) {
	var within, tomb, longer store.Record
	if _, ok := w.full(func() {
		within, tomb, longer = w.started(reserved), w.started(reserved), w.started(reserved)
	}); !ok {
		return
	}
	send := func(n int) advanceOption { return func(q *store.AdvanceRequest) { q.Reply = make([]byte, n) } }
	tombstone := func(q *store.AdvanceRequest) { q.End, q.Reply = store.EndReplyNotKept, nil }

	a, err := w.store.Advance(w.ctx, advanceRequest(store.OpComplete, longer.Identity, longer.Token, send(64*reserve)))
	switch {
	case errors.Is(err, store.ErrFull): // allowed; then nothing is changed, and a tombstone has room
		w.same(longer)
		w.want(w.advance(store.OpComplete, longer.Identity, longer.Token, tombstone), store.Applied)
	case err != nil:
		w.Errorf("Complete with a reply beyond the reserve: %v, want ErrFull or none", err)
	default:
		w.want(a, store.Applied)
	}
	r := w.want(w.advance(store.OpComplete, within.Identity, within.Token, send(reserve)), store.Applied)
	w.same(r)
	w.want(w.advance(store.OpComplete, tomb.Identity, tomb.Token, tombstone), store.Applied)
}

func d7(w *world) {
	var lapsed, unknown store.Record
	if _, ok := w.full(func() { lapsed, unknown = w.lapsed(reserved), w.unknown(reserved) }); !ok {
		return
	}
	who := w.key()
	if _, err := w.store.Decide(w.ctx, decideRequest(store.Cancel, who, w.token())); !errors.Is(err, store.ErrFull) {
		w.Errorf("Cancel of an absent key in a full store: %v, want ErrFull", err)
	}
	w.absent(who)
	w.want(w.decide(store.Cancel, lapsed.Identity, w.token()), store.Applied) // creates nothing
	w.want(w.decide(store.DidNotHappen, unknown.Identity, w.token(), atVersion(unknown.Version)), store.Applied)
}
