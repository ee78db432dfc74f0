package simulation

import (
	"fmt"
	"sync"
	"time"
)

// servers is how many there are at a time.
const servers = 2

// fleet is every life of every server.
type fleet struct {
	mu    sync.Mutex
	lives [servers][]*process
}

// in is the present life of the server in a slot, or its last one.
func (f *fleet) in(slot int) *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lives[slot][len(f.lives[slot])-1]
}

func (f *fleet) all() (all []*process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, lives := range f.lives {
		all = append(all, lives...)
	}
	return all
}

// boots starts the server in a slot, for the first time or again.
func (w *world) boots(slot int) {
	w.fleet.mu.Lock()
	defer w.fleet.mu.Unlock()
	w.fleet.lives[slot] = append(w.fleet.lives[slot], w.boot(slot, len(w.fleet.lives[slot])+1))
}

// disasters are what happens to the servers.
func (w *world) disasters() {
	r := w.roll("disasters")
	for slot := range servers {
		for n := range r.IntN(8) {
			at, kind, length, silently := between(r, time.Minute, stormy-2*time.Minute), r.IntN(6), between(r, 5*time.Second, 90*time.Second), r.IntN(3) == 0
			label := fmt.Sprint("disaster ", slot, n)
			w.at(at, label, func() {
				p := w.fleet.in(slot)
				switch {
				case p.stopped():
					return
				case kind < 4:
					p.stall(length)
					return
				case kind == 4:
					w.saw("server: crashes")
					p.die(silently)
				default:
					p.close()
					length += 21 * time.Second
				}
				w.at(w.now()+length, label+" over", func() { w.boots(slot) })
			})
		}
		w.at(reloading+time.Duration(slot)*time.Minute, fmt.Sprint("reload ", slot), func() { w.fleet.in(slot).close() })
		w.at(reloading+time.Duration(slot)*time.Minute+25*time.Second, fmt.Sprint("reloaded ", slot), func() { w.boots(slot) })
	}
}

// windowNow is what a server that starts now is configured with.
func (w *world) windowNow() time.Duration {
	if w.now() >= reloading {
		return w.longWindow
	}
	return w.window
}

// configured says whether that life of a server runs lapsed operations of the route "mark" again.
func (w *world) configured(slot, life int) bool {
	return w.roll(fmt.Sprint("policy ", slot, life)).IntN(2) == 0
}
