package search

import (
	"reflect"

	"github.com/onceward/onceward/store"
)

// property is something that must never be broken.
type property uint8

const (
	oneEffect property = iota + 1 // the intent takes effect at most once
	doneStays                     // Done never changes, but for its purge
	sameReply                     // every reply that a client gets is the record's
	ruleOne                       // absent: no token passed start without proof of no effect, or the key is sealed
	deadStays                     // a claim that was released does not come back
)

var everything = []property{oneEffect, doneStays, sameReply, ruleOne, deadStays}

// String says how the property was broken.
func (p property) String() string {
	return [...]string{
		"", "the intent took effect twice", "a Done record changed", "two clients got different replies, or one that is not the record's",
		"the record is absent and the key not sealed, although a token passed start without proof",
		"a claim that was released came back",
	}[p]
}

// writes checks a step against the record that it found.
func (t *turn) writes(before store.Record, s store.Step) {
	if before.State != store.Done || s.Write == store.Keep {
		return
	}
	if s.Write == store.Remove || !reflect.DeepEqual(before, s.Answer.Record) {
		t.breaks(doneStays)
	}
}

// answers notes that a client was given this reply.
func (t *turn) answers(reply uint8) {
	w := &t.world
	if w.row.state == store.Done && w.row.reply != reply || w.told != 0 && w.told != reply {
		t.breaks(sameReply)
	}
	w.told = reply
}

// judge checks the state that a turn has come to.
func (t *turn) judge() {
	w := &t.world
	if w.effects > 1 {
		t.breaks(oneEffect)
	}
	open := w.row.state == store.Claimed || w.row.state == store.Started
	for i, c := range w.calls {
		if w.row.state == store.Absent && !w.sealed && c.passed && !c.vouched {
			t.breaks(ruleOne)
		}
		// A mark dies by the clock, so a clock that went back may revive its claim: nobody acts on it, it is only held.
		if open && !w.row.doubted && !w.back && c.freed && w.row.token == uint8(i+1) {
			t.breaks(deadStays)
		}
	}
}
