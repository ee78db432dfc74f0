package demo

import (
	"sync"
	"time"
)

// step is what happened in a transfer's life.
type step uint8

const (
	stepSent     step = iota + 1 // a send has reached the network
	stepArrived                  // the bank has it
	stepMoved                    // the ledger has a new row
	stepAnswered                 // the bank's reply leaves
	stepDropped                  // the network aborts the exchange
	stepEnded                    // the client's attempt is over
	stepSaved                    // the client knows that it does not know, and has saved the operation
	stepSettled                  // the client tells the end
)

// event is one entry of the diary. Fields that its step does not need are zero.
type event struct {
	at       time.Duration // since the run began
	step     step
	row      int    // moved: of the ledger
	coins    int64  // moved
	status   int    // answered
	saved    bool   // answered: it is the operation's reply for ever
	replayed bool   // answered: out of the record
	failed   bool   // ended: without a reply that answers
	text     string // ended, if it failed: how, for the client. settled: what the client tells
}

// diaryPages is how many transfers have a diary: enough to find a good example, and it bounds the memory.
const diaryPages = 4096

// diary keeps what really happened to the first transfers of a run, in order, for the picture. Safe for concurrent use.
type diary struct {
	now   func() time.Time
	start time.Time

	mu    sync.Mutex
	pages map[int][]event
}

func newDiary(now func() time.Time) *diary {
	return &diary{now: now, start: now(), pages: map[int][]event{}}
}

// note adds an event to the transfer's life.
func (d *diary) note(transfer int, e event) {
	if transfer >= diaryPages {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e.at = d.now().Sub(d.start) // under the lock, so that times never go back on a page
	d.pages[transfer] = append(d.pages[transfer], e)
}

// life returns the transfer's events.
func (d *diary) life(transfer int) []event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pages[transfer]
}

// steps is the shape of a life.
func steps(life []event) []step {
	all := make([]step, len(life))
	for i, e := range life {
		all[i] = e.step
	}
	return all
}
