package demo

import (
	"sync"

	"github.com/onceward/onceward"
)

// testimony is what a client once told its owner about a transfer. The ledger shows in the end whether it was true.
type testimony struct {
	transfer int
	key      string // it was sent under; "": none
	fate     onceward.Fate
}

// testimonies collects them. Safe for concurrent use.
type testimonies struct {
	mu  sync.Mutex
	all []testimony
}

func (ts *testimonies) add(t testimony) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.all = append(ts.all, t)
}

func (ts *testimonies) given() []testimony {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.all
}

// wrongFates counts the transfers of which a client told something that the ledger contradicts. Unknown claims nothing.
func wrongFates(given []testimony, rows []entry) int {
	type sent struct {
		transfer int
		key      string
	}
	under, happened := map[sent]int{}, map[int]int{}
	for _, row := range rows {
		under[sent{row.transfer.number, row.key}]++
		happened[row.transfer.number]++
	}
	wrong := map[int]bool{}
	for _, t := range given {
		switch t.fate {
		case onceward.Executed:
			// It promises more than "at least once".
			if happened[t.transfer] != 1 {
				wrong[t.transfer] = true
			}
		case onceward.NotExecuted:
			// Another key may carry the transfer later; under this one nothing may ever happen.
			if under[sent{t.transfer, t.key}] != 0 {
				wrong[t.transfer] = true
			}
		case onceward.Unknown:
		}
	}
	return len(wrong)
}
