package simulation

import (
	"fmt"
	"sync"
)

// ledger is where the effects go. Only what comes with a child key is deduplicated, as by a downstream that remembers it.
type ledger struct {
	mu       sync.Mutex
	effects  []effect
	runs     map[string][]*run
	children map[string]int // effects by child key
}

// effect is one line. Its number is its place, from 1.
type effect struct {
	operation string
	run       *run
}

// run is one run of a handler.
type run struct {
	operation string
	number    int // of the operation's runs, from 1
	process   *process
	over      bool // the handler has ended
	replied   bool // with a reply that is to be saved
	flying    int  // effects that are under way, or may still be sent
}

func newLedger() *ledger { return &ledger{runs: map[string][]*run{}, children: map[string]int{}} }

func (l *ledger) begin(p *process, operation string) *run {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &run{operation: operation, number: len(l.runs[operation]) + 1, process: p}
	l.runs[operation] = append(l.runs[operation], r)
	return r
}

func (l *ledger) ends(r *run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.over = true
}

func (l *ledger) replies(r *run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.replied = true
}

func (l *ledger) flies(r *run, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.flying += n
}

// enter writes a line, unless its child key has one already.
func (l *ledger) enter(r *run, child string) (number int, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number := l.children[child]; child != "" && number != 0 {
		return number, false
	}
	l.effects = append(l.effects, effect{r.operation, r})
	number = len(l.effects)
	if child != "" {
		l.children[child] = number
	}
	return number, true
}

// hasReply says whether a server that lives has the operation's reply. With more than one run it may be the reply of an owner that was replaced, of
// which the record need not know.
func (l *ledger) hasReply(operation string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	runs := l.runs[operation]
	return len(runs) == 1 && runs[0].replied && !runs[0].process.isDead()
}

// neverRan says whether nothing of the operation has run, and every server that has claimed it lives: then its claims have been taken back.
func (w *world) neverRan(operation string) bool {
	w.ledger.mu.Lock()
	ran := len(w.ledger.runs[operation]) > 0
	w.ledger.mu.Unlock()
	if ran {
		return false
	}
	for _, p := range w.fleet.all() {
		if p.isDead() && p.link.hasClaimed(operation) {
			return false
		}
	}
	return true
}

func (l *link) hasClaimed(operation string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, has := l.claims[operation]
	return has
}

// of returns the numbers of an operation's effects.
func (l *ledger) of(operation string) (numbers []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range l.effects {
		if e.operation == operation {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// mayAct says whether some owner of the operation can still have an effect: what an operator has to know before attesting anything.
func (l *ledger) mayAct(w *world, operation string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.runs[operation] {
		if r.flying > 0 || !r.over && !r.process.isDead() {
			return true
		}
	}
	for _, p := range w.fleet.all() {
		if p.link.mayOwn(operation) && !p.isDead() {
			return true
		}
	}
	return false
}

// mayOwn says whether a claim of this server is still to be answered.
func (l *link) mayOwn(operation string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.claims[operation] > 0
}

// name names an operation: a key is its principal's.
func name(principal, key string) string { return fmt.Sprint(principal, " ", key) }
