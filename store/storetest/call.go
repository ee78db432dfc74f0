package storetest

import "github.com/onceward/onceward/store"

// The store's methods as a case calls them: sensible arguments, changed by the functions given, and an error ends the case.

type (
	claimOption   = func(*store.ClaimRequest)
	advanceOption = func(*store.AdvanceRequest)
	decideOption  = func(*store.DecideRequest)
)

func claimRequest(who store.Identity, token store.Token, change ...claimOption) store.ClaimRequest {
	q := store.ClaimRequest{
		Identity: who, Token: token, Fingerprints: []store.Fingerprint{print(1, "pay 5")}, Hint: 7,
		Lease: long, Window: window, Guard: guard,
	}
	for _, f := range change {
		f(&q)
	}
	return q
}

func (w *world) claim(who store.Identity, token store.Token, change ...claimOption) store.Answer {
	w.Helper()
	a, err := w.store.Claim(w.ctx, claimRequest(who, token, change...))
	if err != nil {
		w.Fatalf("Claim: %v", err)
	}
	return a
}

func straight(q *store.ClaimRequest)         { q.Start = true }
func rerun(q *store.ClaimRequest)            { q.Policy = store.Rerun }
func (w *world) brief(q *store.ClaimRequest) { q.Lease = w.short }
func wide(q *store.ClaimRequest)             { q.Window = 1000 * window }
func other(q *store.ClaimRequest)            { q.Fingerprints = []store.Fingerprint{print(1, "pay 500")} }
func validUntil(t store.Time) claimOption    { return func(q *store.ClaimRequest) { q.ValidUntil = t } }
func markUntil(t store.Time) advanceOption   { return func(q *store.AdvanceRequest) { q.ValidUntil = t } }
func atVersion(v uint64) decideOption        { return func(q *store.DecideRequest) { q.Version = v } }
func withReply(reply []byte) decideOption    { return func(q *store.DecideRequest) { q.Reply = reply } }
func by(actor, reason string) decideOption {
	return func(q *store.DecideRequest) { q.Actor, q.Reason = actor, reason }
}
func (w *world) soon(q *store.AdvanceRequest) { q.Window, q.Guard = w.short, 0 }

func advanceRequest(op store.Op, who store.Identity, token store.Token, change ...advanceOption) store.AdvanceRequest {
	q := store.AdvanceRequest{Identity: who, Token: token, Op: op}
	switch op {
	case store.OpStart, store.OpExtend:
		q.Lease = long
	case store.OpComplete:
		q.End, q.Reply, q.Window, q.Guard = store.EndReply, []byte("paid"), window, guard
	}
	for _, f := range change {
		f(&q)
	}
	return q
}

func (w *world) advance(op store.Op, who store.Identity, token store.Token, change ...advanceOption) store.Answer {
	w.Helper()
	a, err := w.store.Advance(w.ctx, advanceRequest(op, who, token, change...))
	if err != nil {
		w.Fatalf("Advance %v: %v", op, err)
	}
	return a
}

func decideRequest(d store.Decision, who store.Identity, token store.Token, change ...decideOption) store.DecideRequest {
	q := store.DecideRequest{Identity: who, Token: token, Decision: d, Window: window, Guard: guard}
	if d != store.Cancel {
		q.Actor, q.Reason = "ops@example.org", "the bank says so"
	}
	for _, f := range change {
		f(&q)
	}
	return q
}

func (w *world) decide(d store.Decision, who store.Identity, token store.Token, change ...decideOption) store.Answer {
	w.Helper()
	a, err := w.store.Decide(w.ctx, decideRequest(d, who, token, change...))
	if err != nil {
		w.Fatalf("Decide %v: %v", d, err)
	}
	return a
}

func (w *world) get(who store.Identity) store.Answer {
	w.Helper()
	a, err := w.store.Get(w.ctx, who)
	if err != nil {
		w.Fatalf("Get: %v", err)
	}
	return a
}

func (w *world) seal(service string, until store.Time) store.Time {
	w.Helper()
	mark, err := w.store.Seal(w.ctx, service, until)
	if err != nil {
		w.Fatalf("Seal: %v", err)
	}
	return mark
}

// purge removes all that may be removed.
func (w *world) purge() (removed int) {
	w.Helper()
	for {
		r, err := w.store.Purge(w.ctx, store.PurgeRequest{Limit: 1000})
		if err != nil {
			w.Fatalf("Purge: %v", err)
		}
		if removed += r.Removed; !r.More {
			return removed
		}
	}
}

func (w *world) stats(service string) store.Stats {
	w.Helper()
	s, err := w.store.Stats(w.ctx, service)
	if err != nil {
		w.Fatalf("Stats: %v", err)
	}
	return s
}
