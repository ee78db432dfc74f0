package search

import (
	"fmt"

	"github.com/onceward/onceward/store"
)

// turn is one step and the world that it leads to.
type turn struct {
	world  world
	broken property
	text   string

	model *model
}

func (t *turn) breaks(p property) {
	for _, checked := range t.model.check {
		if checked == p && t.broken == 0 {
			t.broken = p
		}
	}
}

// walker makes the turns that are possible in a world.
type walker struct {
	model *model
	aloud bool // with words
	from  world
	out   []turn
}

// turns returns every turn that changes something or breaks something. The slice is the walker's.
func (k *walker) turns(from world) []turn {
	k.from, k.out = from, k.out[:0]
	for i := range from.calls {
		k.server(i)
	}
	k.time()
	k.upkeep()
	k.client()
	if !k.model.noDesk {
		k.operator()
	}
	return k.out
}

// begin starts a turn; end keeps it.
func (k *walker) begin() turn { return turn{world: k.from, model: k.model} }

func (k *walker) end(t turn, text func() string) {
	t.judge()
	t.world.tidy(k.model.back)
	if t.world == k.from && t.broken == 0 {
		return
	}
	if k.aloud {
		t.text = text()
	}
	k.out = append(k.out, t)
}

// write does what the store does with a step for the token of call i; i below zero: for somebody else.
func (t *turn) write(s store.Step, i int) store.Answer {
	w := &t.world
	t.model.heard[s.Answer.Verdict]++
	t.writes(t.model.record(w), s)
	switch s.Write {
	case store.Put:
		w.row = keep(s.Answer.Record)
		if by := int(w.row.token) - 1; w.row.state == store.Started && by >= 0 && by < copies {
			w.calls[by].passed = true
		}
	case store.Remove:
		w.row = row{}
	}
	if s.Mark != 0 && i >= 0 {
		w.calls[i].mark = max(w.calls[i].mark, moment(s.Mark-base))
	}
	return s.Answer
}

func (t *turn) claim(i int) store.Answer {
	m, w := t.model, &t.world
	q := m.claimRequest(w, i)
	if w.calls[i].phase == checked {
		q.Stamp = 0 // not looked at again
	}
	return t.write(m.claim(m.record(w), q, m.env(w, i)), i)
}

func (t *turn) advance(i int, op store.Op) store.Answer {
	m, w := t.model, &t.world
	return t.write(m.advance(m.record(w), m.advanceRequest(w, i, op), m.env(w, i)), i)
}

func (t *turn) decide(q store.DecideRequest) store.Answer {
	m, w := t.model, &t.world
	q.Identity, q.Window, q.Guard = m.identity(), m.window(w), guard
	return t.write(m.decide(m.record(w), q, m.env(w, -1)), -1)
}

// reads gives a client what the record says, if it is Done.
func (t *turn) reads(r store.Record) {
	switch {
	case r.State != store.Done:
	case r.End == store.EndReply:
		t.answers(r.Reply[0])
	case r.SafeNewKey:
		t.world.safe = true
	}
}

func server(i int) string { return "server " + string(rune('A'+i)) }

// say names an answer of the store.
func say(a store.Answer) string {
	r := a.Record
	switch {
	case r.State == store.Absent:
		return fmt.Sprintf("%s, record absent", a.Verdict)
	case r.State == store.Done && r.End == store.EndReply:
		return fmt.Sprintf("%s, DONE(reply of %s)", a.Verdict, who(r.Reply[0]))
	case r.State == store.Done:
		return fmt.Sprintf("%s, DONE(%s, safe_new_key: %t)", a.Verdict, r.End, r.SafeNewKey)
	}
	doubted := ""
	if r.Doubted {
		doubted = ", doubted"
	}
	state := map[store.State]string{store.Claimed: "CLAIMED", store.Started: "STARTED"}[r.State]
	if r.Lapsed(a.Now) {
		return fmt.Sprintf("%s, %s(%s), lapsed%s", a.Verdict, state, who(number(r.Token)), doubted)
	}
	return fmt.Sprintf("%s, %s(%s), lease until %d%s", a.Verdict, state, who(number(r.Token)), r.Lease-base, doubted)
}

func who(n uint8) string {
	if n >= 1 && n <= copies {
		return "t" + string(rune('A'+n-1))
	}
	return "the operator"
}
