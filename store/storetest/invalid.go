package storetest

import (
	"errors"
	"strings"

	"github.com/onceward/onceward/store"
)

// x2Invalid sends what no caller may send. The cases are a sample: Validate, which a store calls, has the rules.
func x2Invalid(w *world) {
	who, ctx, s := w.key(), w.ctx, w.store
	long := who
	long.Key = strings.Repeat("k", store.MaxKey+1)
	claim := func(q store.ClaimRequest) error { _, err := s.Claim(ctx, q); return err }
	step := func(q store.AdvanceRequest) error { _, err := s.Advance(ctx, q); return err }
	list := func(q store.ListRequest) error { _, err := s.List(ctx, q); return err }
	for name, err := range map[string]error{
		"a claim without a lease":   claim(claimRequest(who, w.token(), func(q *store.ClaimRequest) { q.Lease = 0 })),
		"a claim without a token":   claim(claimRequest(who, store.Token{})),
		"a claim of no identity":    claim(claimRequest(store.Identity{}, w.token())),
		"a claim of an endless key": claim(claimRequest(long, w.token())),
		"a step that there is not":  step(advanceRequest(99, who, w.token())),
		"an endless page":           list(store.ListRequest{Class: store.ClassOpen, Limit: store.MaxPage + 1}),
		"an empty page":             list(store.ListRequest{Class: store.ClassOpen}),
		"a class that there is not": list(store.ListRequest{Class: 99, Limit: 1}),
		"a cursor of another":       list(store.ListRequest{Class: store.ClassOpen, Limit: 1, Cursor: "\x00not a cursor"}),
		"a purge without a limit":   func() error { _, err := s.Purge(ctx, store.PurgeRequest{}); return err }(),
		"a seal of no service":      func() error { _, err := s.Seal(ctx, "", 1); return err }(),
		"a decision without an actor": func() error {
			_, err := s.Decide(ctx, decideRequest(store.Happened, who, w.token(), by("", "")))
			return err
		}(),
		"a decision that there is not": func() error { _, err := s.Decide(ctx, decideRequest(99, who, w.token())); return err }(),
	} {
		if err == nil {
			w.Errorf("%s was accepted", name)
		} else if !errors.Is(err, store.ErrInvalid) {
			w.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	w.absent(who)
	expect(w, "entries in the trail", len(w.trail(store.ID{})), 0)
}

func x2Stats(w *world) {
	none := w.stats("")
	w.claimed()
	w.started()
	w.lapsed()
	oldest := w.unknown()
	w.unknown(rerun)
	w.done()
	w.notExecuted()
	other := w.want(w.claim(identity("refunds", "alice", "r", 0), w.token()), store.Granted)
	for service, claimed := range map[string]int64{"": 3, "orders": 2} {
		s := w.stats(service)
		expect(w, "Claimed", s.Claimed, claimed)
		expect(w, "Started", s.Started, 1)
		expect(w, "Unknown", s.Unknown, 2)
		expect(w, "Done", s.Done, 2)
		expect(w, "OldestUnknown", s.OldestUnknown, oldest.Lease)
	}
	w.want(w.advance(store.OpRelease, other.Identity, other.Token), store.Applied)
	s := w.stats("refunds")
	expect(w, "what is left of a service that was freed", s.Claimed+s.Started+s.Unknown+s.Done, 0)
	expect(w, "Stats of an empty store", none.Claimed+none.Started+none.Unknown+none.Done, 0)
}
