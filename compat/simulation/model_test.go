package simulation

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
)

// The kinds of what a history holds.
const (
	asks     = "ask"     // the beginning of a client's Send
	sent     = "send"    // that Send, from call to return
	settled  = "settle"  // a decision that was carried out, by an operator or a customer's cancel
	happened = "effect"  // a line in the ledger
	licensed = "licence" // a moment after which the promise allows one effect more
)

// licence is why.
type licence string

const (
	doubted   licence = "taken over under Rerun, and doubted" // at least once is what Rerun promises
	forgotten licence = "unstamped, and its window is over"   // the weaker promise of unstamped keys
)

// What a client, or an operator, learns.
const (
	endAnswered          = "answered"                      // by the operation's reply
	endNotKept           = "executed, the reply is gone"   // nothing more is known
	endNotExecuted       = "not executed, says the record" // and will not be: a new key is safe
	endNotSent           = "not executed, say its answers" // each of its sends was refused, and the network has no copies
	endRecordNotExecuted = "found as not executed"         // unattested: an owner may still have had its effect
	endRecordUnknown     = "unknown, says the record"      //
	endUnknown           = "unknown"                       //
)

type input struct {
	kind    string
	intent  int
	key     int // which of the intent's
	how     string
	other   bool // for or by another request under the same key
	effect  int  // of happened: which of the intent's effects, from 0
	licence licence
}

type output struct {
	end    string
	reply  string
	effect int // the effect's number, as replies name it; 0: none
	named  int // the same as input.effect; below zero: no effect of this intent
}

const keysPerIntent = 3

// intentState is what the promise says of one intent. A client that was told that a new key is safe sends it again under one, so effects are counted
// over all keys.
type intentState struct {
	allowed int // effects beyond the first
	count   int
	of      [keysPerIntent]uint32 // the effects of each key, a bit for each
	past    [keysPerIntent]uint32 // those of a record that is over and forgotten
	before  [keysPerIntent]bool   // it was carried out or answered in a life that is forgotten: a client may remember that
	other   uint32                // those that another request under the key has had
	closed  [keysPerIntent]bool   // somebody was told that no effect of this key will ever be
	refused [keysPerIntent]bool   // all sends of this key were refused, and there has not been another since
	reply   [keysPerIntent]string // fixed once somebody has it
}

const noReply = "none: not executed"

// promise is the model: a history has to be one in which these steps could have come one after the other.
var promise = porcupine.Model{
	Partition: byIntent,
	Init:      func() any { return intentState{} },
	Step: func(state, in, out any) (bool, any) {
		return step(state.(intentState), in.(input), out.(output))
	},
	DescribeOperation: func(in, out any) string { return describe(in.(input), out.(output)) },
	DescribeState: func(state any) string {
		s := state.(intentState)
		return fmt.Sprintf("%d effects of %d, closed %v, replies %.60q", s.count, 1+s.allowed, s.closed, s.reply)
	},
}

func step(s intentState, in input, out output) (bool, intentState) {
	k := in.key
	had, fixed := s.of[k]&^s.past[k] != 0, s.reply[k]
	switch in.kind {
	case happened:
		s.count++
		s.of[k] |= 1 << in.effect
		if in.other {
			s.other |= 1 << in.effect
		}
		return s.count <= 1+s.allowed && !s.closed[k] && !s.refused[k], s
	case asks:
		s.refused[k] = false
		return true, s
	case licensed:
		s.allowed++
		if in.licence == forgotten {
			s.before[k] = s.before[k] || s.of[k] != 0 || fixed != "" && fixed != noReply
			s.closed[k], s.reply[k], s.past[k] = false, "", s.of[k]
		}
		return true, s
	}
	switch out.end {
	case endAnswered:
		s.reply[k] = out.reply
		same := fixed == "" || fixed == out.reply
		if out.effect == 0 { // a refusal: nothing has happened, and nothing will
			s.closed[k] = true
			return same && !had, s
		}
		if out.named < 0 || in.kind == sent && in.other != (s.other&(1<<out.named) != 0) { // another intent's, or another request's
			return false, s
		}
		return same && s.of[k]&(1<<out.named) != 0, s
	case endNotKept:
		return s.before[k] || (s.of[k] != 0 || fixed != "") && fixed != noReply, s // what is carried out may have been a refusal
	case endNotExecuted:
		s.closed[k], s.reply[k] = true, noReply
		return !had && (fixed == "" || fixed == noReply), s
	case endNotSent:
		s.refused[k] = true
		return s.of[k] == 0, s
	case endRecordNotExecuted:
		s.reply[k] = noReply
		return fixed == "" || fixed == noReply, s
	case endRecordUnknown:
		return fixed == "", s
	}
	return true, s
}

// byIntent: intents have nothing to do with each other.
func byIntent(history []porcupine.Operation) [][]porcupine.Operation {
	var parts [][]porcupine.Operation
	place := map[int]int{}
	for _, op := range history {
		intent := op.Input.(input).intent
		if _, known := place[intent]; !known {
			place[intent] = len(parts)
			parts = append(parts, nil)
		}
		parts[place[intent]] = append(parts[place[intent]], op)
	}
	return parts
}

func describe(in input, out output) string {
	text := fmt.Sprintf("intent %d, key %d: %s", in.intent, in.key, strings.TrimSpace(in.kind+" "+in.how))
	switch in.kind {
	case happened:
		return fmt.Sprintf("%s, number %d", text, out.effect)
	case licensed:
		return text + string(in.licence)
	case sent, settled:
		text += " → " + out.end
	}
	if out.end == endAnswered {
		text += fmt.Sprintf(" %.40q", out.reply)
	}
	return text
}
