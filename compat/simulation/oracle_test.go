package simulation

import (
	"errors"
	"sync"

	"github.com/onceward/onceward/store"
)

// oracle stands beside the store and sees every step as it is carried out. From it the history knows what the promise allows beyond
// one effect: see [licence]. It believes nothing that a store says of policies: those it takes from the claims.
type oracle struct {
	w  *world
	mu sync.Mutex
	of map[string]*life
}

// life is what the oracle knows of a record.
type life struct {
	policy  store.Policy // of the claim that began it
	owner   store.Token
	purgeAt store.Time // of the finished record; zero: not finished
}

func newOracle(w *world) *oracle { return &oracle{w: w, of: map[string]*life{}} }

func (o *oracle) claimed(p *process, about string, q store.ClaimRequest, a store.Answer, err error) {
	if err != nil {
		o.failed(err)
		return
	}
	o.w.saw("verdict: " + a.Verdict.String())
	o.w.note(about, "store: claim of %s by %x: %v", p.name, q.Token[:3], a.Verdict)
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.of[about]
	switch a.Verdict {
	case store.Granted:
		if l != nil && l.owner == q.Token {
			return // again with its own token
		}
		if l != nil {
			o.over(about, l, q.Stamp, a.Now)
		}
		o.of[about] = &life{policy: q.Policy, owner: q.Token}
	case store.TakenOver:
		if l != nil {
			l.owner = q.Token
			if a.Record.Doubted && l.policy == store.Rerun {
				o.w.licence(about, doubted)
			}
		}
	}
	o.done(about, a)
}

// done notes when a finished record's time will be over. The lock is held.
func (o *oracle) done(about string, a store.Answer) {
	if a.Record.State != store.Done {
		return
	}
	if o.of[about] == nil {
		o.of[about] = &life{}
	}
	o.of[about].purgeAt = a.Record.PurgeAt
}

func (o *oracle) advanced(p *process, about string, q store.AdvanceRequest, a store.Answer, err error) {
	if err != nil {
		o.failed(err)
		return
	}
	o.w.saw("step: " + q.Op.String() + " " + a.Verdict.String())
	if q.Op != store.OpExtend || a.Verdict != store.Applied { // a heart that beats is no news
		o.w.note(about, "store: %v of %s by %x: %v", q.Op, p.name, q.Token[:3], a.Verdict)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done(about, a)
}

func (o *oracle) decided(about string, q store.DecideRequest, a store.Answer, err error) {
	if err != nil {
		o.failed(err)
		return
	}
	o.w.saw("decision: " + q.Decision.String() + " " + a.Verdict.String())
	o.w.note(about, "store: %v, attested %t: %v", q.Decision, q.Attested, a.Verdict)
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := o.of[about]; l != nil && a.Verdict == store.Applied && a.Record.PurgeAt != l.purgeAt {
		o.over(about, l, q.Stamp, a.Now) // a cancel begins a life too
	}
	o.done(about, a)
}

// over gives a licence if the record's life is over as it should be, and its key forgets. The lock is held.
func (o *oracle) over(about string, l *life, stamp, now store.Time) {
	if l.purgeAt != 0 && now >= l.purgeAt && stamp == 0 {
		o.w.licence(about, forgotten)
	}
}

func (o *oracle) purged(res store.PurgeResult, err error) {
	if err != nil {
		o.failed(err)
		return
	}
	if res.Removed > 0 {
		o.w.saw("store: purged")
	}
}

func (o *oracle) failed(err error) {
	for _, known := range []error{store.ErrFull, store.ErrClock, store.ErrClosed, store.ErrInvalid} {
		if errors.Is(err, known) {
			o.w.saw(known.Error())
		}
	}
}

// policy is the one under which the record was first claimed.
func (o *oracle) policy(about string) store.Policy {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := o.of[about]; l != nil {
		return l.policy
	}
	return store.MarkUnknown
}
