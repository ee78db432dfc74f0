package search

import (
	"fmt"

	"github.com/onceward/onceward/store"
)

// server makes the turns of the server that got copy i, and of its claim under way. A server may stop between any two
// of them for any time, because every other turn may come in between: that is a stall.
func (k *walker) server(i int) {
	c, m := k.from.calls[i], k.model
	if m.transaction {
		k.commit(i)
		return
	}
	switch c.phase {
	case idle:
		if m.naive.checkFirst {
			k.checkAge(i)
		} else {
			k.claims(i)
			k.claimLost(i)
		}
	case checked:
		k.claims(i)
	case unsure:
		k.claims(i)
		k.release(i)
	case holding:
		k.starts(i)
		k.release(i)
		k.completes(i) // a refusal that is remembered: nothing took effect
	case running:
		k.effect(i)
		k.release(i)
		k.completes(i)
	case acted:
		k.completes(i)
	case freeing:
		k.release(i)
	}
	if c.phase == holding || c.phase == running || c.phase == acted {
		k.extends(i)
		k.yields(i)
		k.freesDoubt(i)
	}
	if c.phase != idle && c.phase != gone {
		t := k.begin()
		t.world.calls[i].phase = gone
		k.end(t, func() string { return fmt.Sprintf("%s: crashes", server(i)) })
	}
	if c.late {
		t := k.begin()
		t.world.calls[i].late = false
		a := t.claim(i)
		k.end(t, func() string {
			return fmt.Sprintf("a copy of claim(%s) reaches the store late -> %s; the answer finds nobody", who(uint8(i+1)), say(a))
		})
	}
}

// claims sends the claim and hears the answer. A server that is told to wait claims again later.
func (k *walker) claims(i int) {
	if k.creates(i) {
		return
	}
	t := k.begin()
	w := &t.world
	w.calls[i].until = w.now + 1
	a := t.claim(i)
	switch a.Verdict {
	case store.Granted, store.TakenOver:
		w.calls[i].phase = holding
		if a.Record.State == store.Started {
			w.calls[i].phase = running
		}
	case store.Replay:
		w.calls[i].phase = gone
		t.reads(a.Record)
	case store.FromFuture, store.HorizonTooLong:
		w.safe = w.safe || k.model.naive.futureIsSafe
	}
	k.end(t, func() string { return fmt.Sprintf("%s: claim(%s) -> %s", server(i), who(uint8(i+1)), say(a)) })
}

// creates says whether a claim would begin a life under a policy that was changed since: that intent runs under the new one.
func (k *walker) creates(i int) bool { return k.from.reloaded && k.from.row.state == store.Absent }

// claimLost sends the claim and hears nothing: it has reached the store at once or not, and one copy of it is still under way,
// to arrive late or never.
func (k *walker) claimLost(i int) {
	if k.from.losses == k.model.losses || k.creates(i) {
		return
	}
	t := k.begin()
	c := &t.world.calls[i]
	t.world.losses++
	c.phase, c.late, c.until = unsure, true, t.world.now+1
	k.end(t, func() string {
		return fmt.Sprintf("%s: claim(%s), valid until %d -> no answer; it is delayed", server(i), who(uint8(i+1)), c.until)
	})
	a := t.claim(i)
	k.end(t, func() string {
		return fmt.Sprintf("%s: claim(%s), valid until %d -> the answer gets lost; the store: %s", server(i), who(uint8(i+1)), c.until, say(a))
	})
}

func (k *walker) starts(i int) {
	t := k.begin()
	a := t.advance(i, store.OpStart)
	unheard := t
	if t.world.calls[i].phase = gone; a.Verdict == store.Applied {
		t.world.calls[i].phase = running
	}
	k.end(t, func() string { return fmt.Sprintf("%s: start(%s) -> %s", server(i), who(uint8(i+1)), say(a)) })
	k.end(unheard, func() string {
		return fmt.Sprintf("%s: start(%s) -> the answer gets lost; the store: %s", server(i), who(uint8(i+1)), say(a))
	})
}

func (k *walker) effect(i int) {
	t := k.begin()
	t.world.calls[i].phase = acted
	t.world.effects = min(t.world.effects+1, 2)
	k.end(t, func() string { return fmt.Sprintf("%s: the transfer takes effect", server(i)) })
}

// completes saves the reply and answers from the record; if the store's answer gets lost the server goes on trying.
func (k *walker) completes(i int) {
	t := k.begin()
	a := t.advance(i, store.OpComplete)
	unheard := t
	t.world.calls[i].phase = gone
	if k.model.naive.ownReply {
		t.answers(uint8(i + 1))
	} else {
		t.reads(a.Record)
	}
	k.end(t, func() string {
		return fmt.Sprintf("%s: complete(%s) -> %s; answers its client", server(i), who(uint8(i+1)), say(a))
	})
	k.end(unheard, func() string {
		return fmt.Sprintf("%s: complete(%s) -> the answer gets lost; the store: %s", server(i), who(uint8(i+1)), say(a))
	})
}

// release vouches: nothing took effect, and this server will do nothing more.
func (k *walker) release(i int) {
	t := k.begin()
	a := t.advance(i, store.OpRelease)
	c := &t.world.calls[i]
	c.vouched, c.phase = true, freeing
	unheard := t
	c.freed, c.phase = true, gone
	k.end(t, func() string {
		return fmt.Sprintf("%s: release(%s) with proof of no effect -> %s", server(i), who(uint8(i+1)), say(a))
	})
	k.end(unheard, func() string {
		return fmt.Sprintf("%s: release(%s) with proof of no effect -> the answer gets lost; the store: %s", server(i), who(uint8(i+1)), say(a))
	})
}

func (k *walker) extends(i int) {
	t := k.begin()
	a := t.advance(i, store.OpExtend)
	k.end(t, func() string { return fmt.Sprintf("%s: extend(%s) -> %s", server(i), who(uint8(i+1)), say(a)) })
}

// yields is a failed run without proof: its work may still be going on, so it may act and complete afterwards.
func (k *walker) yields(i int) {
	if k.model.policy != store.Rerun && !k.from.reloaded {
		return
	}
	t := k.begin()
	a := t.advance(i, store.OpYield)
	k.end(t, func() string {
		return fmt.Sprintf("%s: yield(%s), its work may go on -> %s", server(i), who(uint8(i+1)), say(a))
	})
}

// freesDoubt is the mistake of taking the 503 of a timeout for proof.
func (k *walker) freesDoubt(i int) {
	if !k.model.naive.freeDoubt {
		return
	}
	t := k.begin()
	a := t.advance(i, store.OpRelease)
	k.end(t, func() string {
		return fmt.Sprintf("%s: answers 503 after its timeout, release(%s) -> %s; its work goes on", server(i), who(uint8(i+1)), say(a))
	})
}

// checkAge is the mistake of checking the key's age in a step of its own.
func (k *walker) checkAge(i int) {
	t := k.begin()
	m, w := k.model, &t.world
	if s := m.claim(store.Record{}, m.claimRequest(w, i), m.env(w, i)); s.Write != store.Put {
		return
	}
	w.calls[i].phase = checked
	k.end(t, func() string { return fmt.Sprintf("%s: looks at the key's age -> admissible", server(i)) })
}

// commit runs copy i in one database transaction: claim, effect and completion are one step. The answer of COMMIT may get lost.
func (k *walker) commit(i int) {
	if k.from.calls[i].phase != idle {
		return
	}
	t := k.begin()
	w := &t.world
	w.calls[i].until = w.now + 1
	a := t.claim(i)
	if a.Verdict == store.Granted {
		w.effects = min(w.effects+1, 2)
		a = t.advance(i, store.OpComplete)
	}
	unheard := t
	if a.Record.State == store.Done {
		w.calls[i].phase = gone
		t.reads(a.Record)
	}
	if a.Verdict == store.FromFuture || a.Verdict == store.HorizonTooLong {
		w.safe = w.safe || k.model.naive.futureIsSafe
	}
	k.end(t, func() string { return fmt.Sprintf("%s: transaction of %s -> %s", server(i), who(uint8(i+1)), say(a)) })
	k.end(unheard, func() string {
		return fmt.Sprintf("%s: transaction of %s -> the answer of COMMIT gets lost; the store: %s", server(i), who(uint8(i+1)), say(a))
	})
}
