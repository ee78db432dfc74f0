package search

import (
	"fmt"

	"github.com/onceward/onceward/store"
)

// time passes only where somebody waits for it; this leaves nothing out, because nothing else depends on it.
func (k *walker) time() {
	w, m := &k.from, k.model
	pending := (w.row.state == store.Claimed || w.row.state == store.Started) && w.now < w.row.lease
	for _, c := range w.calls {
		pending = pending || c.late && w.now <= c.until
	}
	if pending && w.now%epoch < m.ticks {
		t := k.begin()
		t.world.now++
		k.end(t, func() string { return fmt.Sprintf("time: %d, a lease is over", t.world.now) })
	}
	if w.epochs < m.epochs {
		t := k.begin()
		t.world.epochs++
		t.world.now = (w.now/epoch + 1) * epoch
		k.end(t, func() string { return fmt.Sprintf("time: %d, window and guard are over", t.world.now) })
	}
	if m.back && !w.back && w.now >= epoch {
		t := k.begin()
		t.world.back, t.world.now = true, m.ticks
		k.end(t, func() string {
			return fmt.Sprintf("the store is opened again, its clock has gone back to %d", t.world.now)
		})
	}
	if !w.raised && !m.noRaise && (m.raise || w.now >= epoch) {
		t := k.begin()
		t.world.raised = true
		k.end(t, func() string { return "the window is configured longer: the key is young again" })
	}
	if m.reload && !w.reloaded && m.record(w).Open() {
		t := k.begin()
		t.world.reloaded = true
		k.end(t, func() string { return "the servers are configured anew: policy rerun" })
	}
}

// upkeep seals and purges, in two steps: a purge that does both in one is among the histories in which nothing comes between.
func (k *walker) upkeep() {
	w, m := &k.from, k.model
	purgeable := m.record(w).Purgeable(w.now.time())
	atOnce := m.naive.noSeal || m.naive.sealLate
	if !w.sealed && (!atOnce || m.naive.sealLate && w.row.state == store.Absent && w.now >= epoch) && w.now.time() >= m.stamp {
		t := k.begin()
		t.world.sealed = true
		k.end(t, func() string { return "seal: the watermark is at the key's stamp" })
	}
	if purgeable && (w.sealed || atOnce) {
		t := k.begin()
		t.world.row = row{}
		k.end(t, func() string { return "purge removes the record" })
	}
}

const (
	byCancel uint8 = 100 + iota
	byOperator
)

// client cancels, and sends again under a new key once it was told that this is safe.
func (k *walker) client() {
	m := k.model
	if !m.noCancel {
		t := k.begin()
		a := t.decide(store.DecideRequest{Token: token(byCancel), Decision: store.Cancel})
		unheard := t
		t.reads(a.Record)
		k.end(t, func() string { return fmt.Sprintf("the client: cancel -> %s", say(a)) })
		k.end(unheard, func() string { return fmt.Sprintf("the client: cancel -> the answer gets lost; the store: %s", say(a)) })
	}
	if k.from.safe && !k.from.again {
		t := k.begin()
		t.world.again = true
		t.world.effects = min(t.world.effects+1, 2)
		k.end(t, func() string {
			return "the client was told safe_new_key: true and sends again under a new key: the transfer takes effect"
		})
	}
}

// operator looks at a lapsed record and decides later, about what was seen.
func (k *walker) operator() {
	w, m := &k.from, k.model
	if r := m.record(w); r.Lapsed(w.now.time()) {
		t := k.begin()
		t.world.looked = view{w.row.token, w.row.version}
		k.end(t, func() string {
			return fmt.Sprintf("the operator looks: %s(%s), lapsed, version %d", r.State, who(w.row.token), r.Version)
		})
	}
	if w.looked.token == 0 {
		return
	}
	k.decides(store.Happened, false)
	k.decides(store.DidNotHappen, false)
	k.decides(store.ReleaseClaim, false)
	if k.truthful() {
		k.decides(store.DidNotHappen, true)
	}
}

// truthful says whether the operator may attest: nothing has happened, and the owner that was seen can no longer act. Where
// there may have been owners before it (Rerun), they cannot either.
func (k *walker) truthful() bool {
	w := &k.from
	if by := int(w.looked.token) - 1; w.effects > 0 || w.calls[by].phase != gone {
		return false
	}
	for _, c := range w.calls {
		if k.model.policy == store.Rerun && c.phase != gone && c.phase != idle {
			return false
		}
	}
	return true
}

func (k *walker) decides(d store.Decision, attested bool) {
	t := k.begin()
	q := store.DecideRequest{
		Token: token(byOperator + uint8(d)), Decision: d, Version: t.world.looked.version, Attested: attested, Actor: "olga", Reason: "looked",
	}
	if d == store.Happened {
		q.Reply = []byte{byOperator}
	}
	a := t.decide(q)
	k.end(t, func() string {
		return fmt.Sprintf("the operator decides %q, attested %t, about %s at version %d -> %s", d, attested, who(t.world.looked.token), q.Version, say(a))
	})
}
