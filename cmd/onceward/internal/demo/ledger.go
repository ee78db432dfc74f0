package demo

import "sync"

// entry is one effect: money has moved.
type entry struct {
	transfer transfer
	key      string // that it came with; "": none
}

// ledger is where the bank writes down what has happened, and the demo counts it. It only grows and compares nothing: a transfer
// that arrives twice is written twice. Safe for concurrent use.
type ledger struct {
	mu       sync.Mutex
	entries  []entry
	balances [accounts]int64
}

// move moves the money and returns the row of the ledger that says so, from 1.
func (l *ledger) move(t transfer, key string) (row int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.balances[t.from] -= t.amount
	l.balances[t.to] += t.amount
	l.entries = append(l.entries, entry{t, key})
	return len(l.entries)
}

// balance returns what stands on every account. All began with nothing, and may owe.
func (l *ledger) balance() [accounts]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.balances
}

// rows returns a copy of the entries.
func (l *ledger) rows() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]entry(nil), l.entries...)
}
