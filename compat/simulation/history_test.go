package simulation

import (
	"fmt"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

const operatorID = 100 // the operator's number among the clients of a history

// history is what happened, for the model, and what was noted, for people.
type history struct {
	mu         sync.Mutex
	clock      int64 // orders calls, returns and effects
	operations []porcupine.Operation
	intents    map[string]asked // by the operation's name
	effects    map[int][]int    // the numbers of an intent's effects
	notes      []remark
	seen       map[string]int
	complaints []complaint
}

// asked is what an operation is for.
type asked struct {
	intent, key int
	route       string
}

type remark struct {
	at    time.Duration
	about string // an operation; "": everybody
	text  string
}

type complaint struct {
	intent int // below zero: none
	text   string
}

func newHistory() *history {
	return &history{intents: map[string]asked{}, effects: map[int][]int{}, seen: map[string]int{}}
}

// tick is a moment that no other has.
func (h *history) tick() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	return h.clock
}

// register says which intent an operation is for.
func (h *history) register(operation string, intent, key int, route string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.intents[operation] = asked{intent, key, route}
}

func (h *history) lookup(operation string) (intent, key int, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	of, known := h.intents[operation]
	return of.intent, of.key, known
}

// add appends what began at called and ends now.
func (h *history) add(client int, in input, out output, called int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	out.named = -1
	for i, number := range h.effects[in.intent] {
		if number == out.effect {
			out.named = i
		}
	}
	h.operations = append(h.operations, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: called, Return: h.clock})
}

// happened appends an effect.
func (h *history) happened(operation string, number int, other bool) {
	h.moment(operation, func(in *input, out *output) {
		in.kind, in.other, in.effect, out.effect = happened, other, len(h.effects[in.intent]), number
		h.effects[in.intent] = append(h.effects[in.intent], number)
	})
}

// asks appends the beginning of a send and returns its moment.
func (h *history) asks(operation string) int64 {
	h.moment(operation, func(in *input, _ *output) { in.kind = asks })
	return h.tick()
}

// licence appends a moment after which one effect more is allowed. Where child keys are passed on, a doubted run is no reason for one.
func (h *history) licence(operation string, why licence) {
	h.mu.Lock()
	none := why == doubted && h.intents[operation].route == "child"
	h.mu.Unlock()
	if none {
		h.saw("no licence: doubted, with child keys")
		return
	}
	h.saw("licence: " + string(why))
	h.moment(operation, func(in *input, _ *output) { in.kind, in.licence = licensed, why })
}

func (h *history) moment(operation string, fill func(*input, *output)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	of, known := h.intents[operation]
	in, out := input{intent: of.intent, key: of.key}, output{}
	fill(&in, &out)
	if !known { // a broken guard may know operations by other names
		if in.kind == happened {
			h.complaints = append(h.complaints, complaint{-1, "nobody has asked for " + operation})
		}
		return
	}
	h.clock += 2
	h.operations = append(h.operations, porcupine.Operation{ClientId: operatorID + 1, Input: in, Output: out, Call: h.clock - 1, Return: h.clock})
}

// saw counts, so that a simulation in which something never happens can be told.
func (h *history) saw(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[what]++
}

// complain notes a fault that is not one of order.
func (h *history) complain(intent int, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.complaints = append(h.complaints, complaint{intent, fmt.Sprintf(format, args...)})
}
