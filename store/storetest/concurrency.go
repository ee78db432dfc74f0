package storetest

import (
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/store"
)

var concurrencyCases = []Case{
	{"X1_of_many_claims_at_once_one_is_granted", x1Claim},
	{"X1_of_many_takeovers_at_once_one_wins", x1Takeover},
	{"X1_start_or_takeover", x1Start},
	{"X1_complete_or_resolve", x1Complete},
	{"X1_claim_or_cancel", x1Cancel},
	{"X1_claim_or_seal", x1Seal},
	{"X1_a_purged_key_never_runs_again", x1Purge},
}

const rivals = 24 // callers at once

// tally counts the verdicts of calls made at once, each with a token of its own.
func (w *world) tally(call func(store.Token) (store.Answer, error)) map[store.Verdict]int {
	w.Helper()
	tokens := make([]store.Token, rivals)
	for i := range tokens {
		tokens[i] = w.token()
	}
	verdicts := make([]store.Verdict, rivals)
	race(rivals, func(i int) {
		a, err := call(tokens[i])
		if err != nil {
			w.Errorf("one of %d calls at once: %v", rivals, err)
		}
		verdicts[i] = a.Verdict
	})
	n := map[store.Verdict]int{}
	for _, v := range verdicts {
		n[v]++
	}
	return n
}

func x1Claim(w *world) {
	for round := range 20 {
		who := w.key()
		if round%2 == 1 {
			who = w.stamped(w.now())
		}
		n := w.tally(func(t store.Token) (store.Answer, error) { return w.store.Claim(w.ctx, claimRequest(who, t, straight)) })
		if n[store.Granted] != 1 || n[store.InFlight] != rivals-1 {
			w.Fatalf("%d claims at once: %v, want one granted and the others in flight", rivals, n)
		}
		expect(w, "Claims", w.get(who).Record.Claims, 1)
	}
}

func x1Takeover(w *world) {
	for round := range 10 {
		r := w.lapsed()
		if round%2 == 1 {
			r = w.unknown(rerun)
		}
		n := w.tally(func(t store.Token) (store.Answer, error) { return w.store.Claim(w.ctx, claimRequest(r.Identity, t)) })
		if n[store.TakenOver] != 1 || n[store.InFlight] != rivals-1 {
			w.Fatalf("%d takeovers at once: %v, want one taken over and the others in flight", rivals, n)
		}
		got := w.get(r.Identity).Record
		expect(w, "Claims", got.Claims, 2)
		expect(w, "Version", got.Version, store.FirstVersion(got.Token))
	}
}

// duel makes two calls at once and returns their verdicts.
func (w *world) duel(a, b func() (store.Answer, error)) (va, vb store.Verdict) {
	w.Helper()
	calls := []func() (store.Answer, error){a, b}
	got := make([]store.Verdict, 2)
	race(2, func(i int) {
		answer, err := calls[i]()
		if err != nil {
			w.Errorf("one of two calls at once: %v", err)
		}
		got[i] = answer.Verdict
	})
	return got[0], got[1]
}

func x1Start(w *world) {
	for range 20 {
		r, next := w.lapsed(), w.token()
		old, taken := w.duel(
			func() (store.Answer, error) {
				return w.store.Advance(w.ctx, advanceRequest(store.OpStart, r.Identity, r.Token))
			},
			func() (store.Answer, error) { return w.store.Claim(w.ctx, claimRequest(r.Identity, next, straight)) },
		)
		if (old == store.Applied) == (taken == store.TakenOver) {
			w.Fatalf("the old owner's start was %v and the takeover %v: exactly one may act", old, taken)
		}
	}
}

func x1Complete(w *world) {
	for range 20 {
		u, token := w.unknown(), w.token()
		completed, resolved := w.duel(
			func() (store.Answer, error) {
				return w.store.Advance(w.ctx, advanceRequest(store.OpComplete, u.Identity, u.Token))
			},
			func() (store.Answer, error) {
				return w.store.Decide(w.ctx, decideRequest(store.DidNotHappen, u.Identity, token, atVersion(u.Version)))
			},
		)
		if (completed == store.Applied) == (resolved == store.Applied) {
			w.Fatalf("the late complete was %v and the decision %v: exactly one may win", completed, resolved)
		}
		want, entries := store.EndReply, 0
		if resolved == store.Applied {
			want, entries = store.EndNotExecuted, 2 // the decision, and the late owner's contradiction
		}
		expect(w, "End", w.get(u.Identity).Record.End, want)
		expect(w, "entries in the trail", len(w.trail(u.ID)), entries)
	}
}

func x1Cancel(w *world) {
	for range 20 {
		who, mine, theirs := w.key(), w.token(), w.token()
		claimed, cancelled := w.duel(
			func() (store.Answer, error) { return w.store.Claim(w.ctx, claimRequest(who, mine, straight)) },
			func() (store.Answer, error) { return w.store.Decide(w.ctx, decideRequest(store.Cancel, who, theirs)) },
		)
		if (claimed == store.Granted) == (cancelled == store.Applied) {
			w.Fatalf("the claim was %v and the cancel %v: exactly one may win", claimed, cancelled)
		}
	}
}

// x1Seal claims keys while their stamps are being sealed: an answer is either from before the seal or refused.
func x1Seal(w *world) {
	for range 5 {
		at := w.now()
		keys, tokens := make([]store.Identity, rivals), make([]store.Token, rivals)
		for i := range keys {
			keys[i], tokens[i] = w.stamped(at), w.token()
		}
		var sealed atomic.Bool
		race(rivals, func(i int) {
			if i == rivals/2 {
				if _, err := w.store.Seal(w.ctx, "orders", at); err != nil {
					w.Errorf("Seal: %v", err)
				}
				sealed.Store(true)
				return
			}
			after := sealed.Load()
			a, err := w.store.Claim(w.ctx, claimRequest(keys[i], tokens[i]))
			if err != nil {
				w.Errorf("Claim: %v", err)
			}
			if a.Verdict == store.Granted && (after || a.Watermark >= at) {
				w.Errorf("granted with stamp %d, although the watermark was %d, after the seal: %v", at, a.Watermark, after)
			}
		})
		w.pass(2 * time.Millisecond) // the next round's stamps lie above this seal
	}
}

// x1Purge sends late copies of done operations while their records are purged.
func x1Purge(w *world) {
	var keys []store.Identity
	for range 10 {
		who := w.stamped(w.now())
		w.complete(who, w.soon)
		keys = append(keys, who)
	}
	w.over()
	const copies = 4
	var purged atomic.Bool
	race(copies+1, func(i int) {
		if i == copies {
			w.purge()
			purged.Store(true)
			return
		}
		for n, after := 0, 0; after < len(keys) && w.ctx.Err() == nil; n++ {
			if purged.Load() {
				after++
			}
			token := tokenOf(uint64(i+1)<<32 | uint64(n))
			a, err := w.store.Claim(w.ctx, claimRequest(keys[n%len(keys)], token, wide))
			if err != nil || a.Verdict != store.Replay && a.Verdict != store.Expired {
				w.Errorf("a late copy during the purge: %v, %v; want replay or expired", a.Verdict, err)
				return
			}
		}
	})
	for _, who := range keys {
		w.want(w.claim(who, w.token(), wide), store.Expired)
	}
}
