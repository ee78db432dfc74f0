package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// operator settles what nobody else can. It is honest: it looks into the ledger, and attests only what it knows.
type operator struct {
	w *world
	r *rand.Rand
}

// works looks from time to time until the storm is over.
func (o *operator) works() {
	for o.w.now() < stormy {
		o.w.sleep(between(o.r, 10*time.Second, 90*time.Second))
		o.look(false)
	}
}

// settlesAll resolves what is left, in calm weather.
func (o *operator) settlesAll() {
	for range 10 {
		if o.look(true) == 0 {
			return
		}
	}
	o.w.complain(-1, "the operator cannot settle everything")
}

// look goes through the unknown operations, and through claims that nobody started. It returns how many it found.
func (o *operator) look(all bool) (found int) {
	p := o.w.fleet.in(o.r.IntN(servers))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	page, err := p.guard.Unknowns(ctx, onceward.UnknownsRequest{})
	if err != nil {
		return 1
	}
	for _, r := range page.Records {
		if all || o.r.IntN(3) > 0 {
			o.settle(ctx, p, r, all)
		}
	}
	open, err := p.guard.Records(ctx, onceward.RecordsRequest{Class: store.ClassOpen})
	for _, r := range open.Records {
		if err == nil && r.State == store.Claimed && r.Lapsed(open.Now) && o.r.IntN(2) == 0 {
			_, _ = p.guard.Release(ctx, onceward.Release{Record: r, Actor: "olga", Reason: "its owner is gone"})
		}
	}
	return len(page.Records)
}

func (o *operator) settle(ctx context.Context, p *process, r store.Record, all bool) {
	about := name(r.Principal, r.Key)
	intent, key, known := o.w.lookup(about)
	if !known {
		return
	}
	res := onceward.Resolution{Record: r, Actor: "olga", Reason: "has looked into the ledger"}
	out := output{end: endRecordNotExecuted}
	if !all && (o.w.ledger.hasReply(about) || o.w.neverRan(about)) {
		return // a server is still trying to save it, or to take its claim back
	}
	effects, mayAct := o.w.ledger.of(about), o.w.ledger.mayAct(o.w, about)
	switch {
	case len(effects) > 0:
		res.Happened = true
		out = output{end: endNotKept}
		if o.r.IntN(3) > 0 {
			last := effects[len(effects)-1] // a key that was forgotten may have had an earlier life, with another request
			body := fmt.Sprintf(`{"effect":%d}`, last)
			res.Reply = &onceward.Reply{Status: http.StatusCreated, Header: []onceward.Field{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body)}
			out = output{end: endAnswered, reply: "201 " + body, effect: last}
		}
	case mayAct && !all && o.r.IntN(4) == 0:
		return
	case mayAct:
		o.w.saw("operator: decides although the owner may still act")
	case o.r.IntN(4) > 0:
		res.Attested = true
		o.w.saw("operator: attests")
		if r.Stamp != 0 {
			out.end = endNotExecuted
		}
	}
	called := o.w.tick()
	_, err := p.guard.Resolve(ctx, res)
	if err != nil {
		return
	}
	how := fmt.Sprintf("resolve, happened %t, attested %t", res.Happened, res.Attested)
	o.w.note(about, "the operator: %s", how)
	o.w.add(operatorID, input{kind: settled, intent: intent, key: key, how: how}, out, called)
}
