package storetest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/onceward/onceward/store"
)

// divergence is where a store and the model part.
type divergence struct {
	at    int
	text  string
	lines []string // the history up to there
}

// walk is one walk of a store and its model.
type walk struct {
	*world
	model *table
	unit  time.Duration // all durations are multiples of it, so that moments collide
	start store.Time
	last  store.Time // the store's clock as last seen
	rng   *rand.Rand
	met   store.Identity // in the last move
	said  string
}

// walk makes the moves on a fresh store and returns where it parts from the model; nil: nowhere.
func (w *world) walk(moves []move) *divergence {
	w.Helper()
	w.open(w.h.New)
	k := &walk{world: w, model: newTable(), unit: w.short / 4}
	k.start = w.now()
	k.last = k.start
	var lines []string
	for i, m := range append(moves, move{moveAudit, 0}) {
		k.rng = rand.New(rand.NewPCG(m.seed, 1))
		k.said = ""
		err := k.make(m.kind)
		lines = append(lines, k.said)
		if err != nil {
			return &divergence{at: min(i, len(moves)-1), text: err.Error(), lines: lines}
		}
	}
	return nil
}

func (k *walk) make(kind moveKind) error {
	switch kind {
	case moveClaim:
		return k.claim()
	case moveAdvance:
		return k.advance()
	case moveDecide:
		return k.decide()
	case moveGet:
		return k.get()
	case moveSeal:
		return k.seal()
	case movePurge:
		return k.purge()
	case moveAudit:
		return k.audit()
	case moveReopen:
		return k.reopen("reopen", k.h.Reopen)
	case moveCrash:
		return k.reopen("crash", k.h.Crash)
	}
	d := k.some(1, 3)
	k.say("%v pass", d)
	k.pass(d)
	return nil
}

func (k *walk) say(format string, args ...any) { k.said += fmt.Sprintf(format, args...) }

// some draws a duration of least to most units.
func (k *walk) some(least, most int) time.Duration {
	return time.Duration(least+k.rng.IntN(most-least+1)) * k.unit
}

func (k *walk) chance(percent int) bool { return k.rng.IntN(100) < percent }

// who draws an identity, or stays with the last one: few enough to meet again, and stamped ones around the present.
func (k *walk) who() store.Identity {
	if k.met.Service != "" && k.chance(30) { // stay with it
		return k.met
	}
	k.met = k.draw()
	return k.met
}

func (k *walk) draw() store.Identity {
	service := []string{"orders", "refunds"}[k.rng.IntN(2)]
	if k.chance(40) {
		return identity(service, "alice", fmt.Sprintf("u%d", k.rng.IntN(2)), 0)
	}
	slot := int(k.last.Sub(k.start)/k.unit) - 4 + k.rng.IntN(7)
	if k.chance(30) && len(k.model.records) > 0 { // an old one that is still there
		old := k.model.sorted(func(r store.Record) bool { return r.Service == service })
		if len(old) > 0 {
			return old[k.rng.IntN(len(old))].Identity
		}
	}
	return identity(service, "alice", fmt.Sprintf("s%d", slot), k.start.Add(time.Duration(slot)*k.unit))
}

// token draws one of a few tokens of the identity; half of the time the record's own.
func (k *walk) token(who store.Identity) store.Token {
	if r := k.model.records[who.ID]; r.State != store.Absent && k.chance(60) {
		return r.Token
	}
	t := tokenOf(uint64(1 + k.rng.IntN(3)))
	for i := range 8 {
		t[i] ^= who.ID[i] // a token belongs to one operation
	}
	return t
}

// compare holds an answer to the step that the pure function takes at the store's time, and carries that step out in the model.
func (k *walk) compare(who store.Identity, token store.Token, a store.Answer, step func(store.Record, store.Env) store.Step) error {
	k.say(" → %v at %v, %s", a.Verdict, a.Now.Sub(k.start), sketch(a.Record))
	if a.Now < k.last {
		return fmt.Errorf("X4: the clock went back from %d to %d", k.last, a.Now)
	}
	k.last = a.Now
	s := step(k.model.records[who.ID], k.model.env(who, token, a.Now))
	want := s.Answer
	if a.Verdict != want.Verdict {
		return fmt.Errorf("answered %v, want %v with %s", a.Verdict, want.Verdict, sketch(want.Record))
	}
	if d := diff(a.Record, want.Record); d != "" {
		return fmt.Errorf("answered %v with a record whose %s", a.Verdict, d)
	}
	if a.Watermark != want.Watermark {
		return fmt.Errorf("the answer's watermark is %d, want %d", a.Watermark, want.Watermark)
	}
	k.model.write(who, token, s, laterMark)
	return nil
}

// label names an operation of a walk in its history.
func label(who store.Identity) string { return who.Service + "/" + who.Key }
