package storetest

import (
	"fmt"
	"time"

	"github.com/onceward/onceward/store"
)

// moment draws a bound around the present; zero now and then.
func (k *walk) moment() store.Time {
	if k.chance(40) {
		return 0
	}
	return k.last.Add(k.some(-1, 4))
}

func (k *walk) claim() error {
	who := k.who()
	q := store.ClaimRequest{
		Identity: who, Token: k.token(who), Hint: uint64(k.rng.IntN(2)),
		Policy: store.Policy(k.rng.IntN(2)), Start: k.chance(50),
		Lease: k.some(1, 3), Window: k.some(2, 8), Guard: k.some(0, 2), ValidUntil: k.moment(),
	}
	if k.chance(10) {
		q.Horizon = k.some(1, 10)
	}
	request := "a"
	if k.chance(8) {
		request = "b"
	}
	q.Fingerprints = [][]store.Fingerprint{
		{print(1, request)}, {print(2, request), print(1, request)}, {print(2, request)}, nil,
	}[min(k.rng.IntN(16)/5, 3)]
	k.say("claim %s token %x start %v %v lease %v window %v guard %v until %v", label(who), q.Token[:2], q.Start, q.Policy,
		q.Lease, q.Window, q.Guard, k.since(q.ValidUntil))
	a, err := k.store.Claim(k.ctx, q)
	if err != nil {
		return err
	}
	return k.compare(who, q.Token, a, func(r store.Record, env store.Env) store.Step { return store.Claim(r, q, env) })
}

// stay remembers whom the move is about.
func (k *walk) stay(who store.Identity) store.Identity {
	k.met = who
	return who
}

func (k *walk) since(t store.Time) string {
	if t == 0 {
		return "none"
	}
	return fmt.Sprint(t.Sub(k.start))
}

func (k *walk) advance() error {
	who := k.who()
	if open := k.model.sorted(store.Record.Open); len(open) > 0 && k.chance(70) {
		who = k.stay(open[k.rng.IntN(len(open))].Identity)
	} else if all := k.model.sorted(func(store.Record) bool { return true }); len(all) > 0 && k.chance(60) {
		who = k.stay(all[k.rng.IntN(len(all))].Identity)
	}
	q := store.AdvanceRequest{Identity: who, Token: k.token(who), Op: everyOp[k.rng.IntN(len(everyOp))]}
	switch q.Op {
	case store.OpStart, store.OpExtend:
		q.Lease = k.some(1, 4)
	case store.OpComplete:
		q.Window, q.Guard, q.End = k.some(1, 6), k.some(0, 1), store.EndReplyNotKept
		if k.chance(80) {
			q.End, q.Reply = store.EndReply, fmt.Appendf(nil, "reply %d", k.rng.IntN(1000))
		}
	case store.OpRelease:
		q.ValidUntil = k.moment()
	}
	k.say("%v %s token %x lease %v until %v", q.Op, label(who), q.Token[:2], q.Lease, k.since(q.ValidUntil))
	a, err := k.store.Advance(k.ctx, q)
	if err != nil {
		return err
	}
	return k.compare(who, q.Token, a, func(r store.Record, env store.Env) store.Step { return store.Advance(r, q, env) })
}

func (k *walk) decide() error {
	who := k.who()
	if open := k.model.sorted(func(r store.Record) bool { return r.Lapsed(k.last) }); len(open) > 0 && k.chance(75) {
		who = k.stay(open[k.rng.IntN(len(open))].Identity)
	}
	q := store.DecideRequest{
		Identity: who, Token: k.token(who), Decision: store.Decision(1 + k.rng.IntN(4)),
		Actor: "ops", Reason: "why not", Window: k.some(1, 6), Guard: k.some(0, 1),
	}
	if k.model.records[who.ID].State != store.Done {
		q.Token[15]++ // a decision's token is nobody's claim
	}
	q.Version = k.model.records[who.ID].Version
	switch {
	case q.Decision == store.Cancel && k.chance(50):
		q.Actor, q.Reason = "", ""
	case k.chance(15):
		q.Version++
	}
	q.Attested = q.Decision == store.DidNotHappen && k.chance(50)
	if q.Decision == store.Happened && k.chance(60) {
		q.Reply = []byte("by hand")
	}
	k.say("%v %s token %x version %d", q.Decision, label(who), q.Token[:2], q.Version)
	a, err := k.store.Decide(k.ctx, q)
	if err != nil {
		return err
	}
	return k.compare(who, q.Token, a, func(r store.Record, env store.Env) store.Step { return store.Decide(r, q, env) })
}

func (k *walk) get() error {
	who := k.who()
	k.say("get %s", label(who))
	return k.look(who)
}

func (k *walk) look(who store.Identity) error {
	a, err := k.store.Get(k.ctx, who)
	if err != nil {
		return err
	}
	return k.compare(who, store.Token{}, a, func(r store.Record, env store.Env) store.Step {
		return store.Step{Answer: store.Read(r, who, env)}
	})
}

func (k *walk) pass(d time.Duration) { k.world.pass(d) }
