package contract

import (
	"sync"
	"time"
)

// holdLimit ends a hold whose harness has gone away.
const holdLimit = 30 * time.Second

// Desk is the part of a target that must not deduplicate: the ledger of effects, and the gates at which handlers wait. Safe for concurrent use.
type Desk struct {
	mu     sync.Mutex
	ledger map[string]Entry
	gates  map[string]chan struct{}
}

// NewDesk returns an empty desk. The servers of one target share it.
func NewDesk() *Desk {
	return &Desk{ledger: make(map[string]Entry), gates: make(map[string]chan struct{})}
}

// Enter writes a run of an operation into the ledger, with its effect if it has one, and returns the number of the run.
func (d *Desk) Enter(op string, effect bool) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.ledger[op]
	e.Runs++
	if effect {
		e.Effects++
	}
	d.ledger[op] = e
	return e.Runs
}

// Entry reads the ledger.
func (d *Desk) Entry(op string) Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ledger[op]
}

// Hold waits until the gate is open. The empty name is no gate.
func (d *Desk) Hold(name string) {
	if name == "" {
		return
	}
	limit := time.NewTimer(holdLimit)
	defer limit.Stop()
	select {
	case <-d.gate(name):
	case <-limit.C:
	}
}

// Open opens a gate for good.
func (d *Desk) Open(name string) {
	gate := d.gate(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-gate:
	default:
		close(gate)
	}
}

func (d *Desk) gate(name string) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gates[name] == nil {
		d.gates[name] = make(chan struct{})
	}
	return d.gates[name]
}
