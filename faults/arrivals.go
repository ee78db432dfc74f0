package faults

import "sync"

// arrivals counts how often each identity has arrived. It keeps two generations: when the young one has half of the limit, it
// becomes the old one and what the old one still had is forgotten. So memory is bounded, and at least the latest half is known.
type arrivals struct {
	mu         sync.Mutex
	half       int
	young, old map[identity]uint64
}

func newArrivals(limit int) *arrivals {
	return &arrivals{half: limit / 2, young: map[identity]uint64{}}
}

// next counts an arrival of id and returns its number, from 1.
func (a *arrivals) next(id identity) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, known := a.young[id]
	if !known {
		n = a.old[id]
		if len(a.young) >= a.half {
			a.old, a.young = a.young, map[identity]uint64{}
		}
		delete(a.old, id)
	}
	n++
	a.young[id] = n
	return n
}
