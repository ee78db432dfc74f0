package simulation

import (
	"container/heap"
	"sync"
	"testing/synctest"
	"time"
)

// beat is the grain of virtual time: what leaves a process arrives on a beat. It is as long as the longest random pause in the product that
// no seed reaches (a waiter's poll), so that those pauses do not change what arrives when.
const beat = 500 * time.Millisecond

// offBeat is added to limits of the product that a handler could meet exactly on a beat: which of the two comes first would be chance.
const offBeat = beat / 5

// events is the queue of all that happens between processes. One event happens at a time, and the next only when everybody
// has done what the last one made him do. Events of one beat happen in an order that the seed decides.
type events struct {
	dice
	start time.Time
	mu    sync.Mutex
	queue eventHeap
	count int
	wake  chan struct{}
	shut  chan struct{} // closed at the end of the run: nothing happens any more
}

type event struct {
	due   time.Time
	order uint64
	label string
	count int
	do    func()
}

func newEvents(d dice) *events {
	return &events{dice: d, start: time.Now(), wake: make(chan struct{}, 1), shut: make(chan struct{})}
}

// now is the time since the run began.
func (q *events) now() time.Duration { return time.Since(q.start) }

// after lets do happen on the given beat from now, at least on the next one. The label names the event.
func (q *events) after(beats int, label string, do func()) {
	q.at(q.now()+time.Duration(max(beats, 1)-1)*beat, label, do)
}

// at lets do happen on the first beat after t, but not in the past.
func (q *events) at(t time.Duration, label string, do func()) {
	due := q.start.Add(max(t, q.now()).Truncate(beat) + beat)
	q.mu.Lock()
	q.count++
	heap.Push(&q.queue, event{due, q.roll(label).Uint64(), label, q.count, do})
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run lets events happen until done is closed. It must be called from the goroutine that began the bubble, and by nobody else.
func (q *events) run(done <-chan struct{}) {
	for {
		synctest.Wait()
		select {
		case <-done:
			return
		default:
		}
		do, wait := q.next()
		if do != nil {
			do()
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-q.wake:
		case <-done:
		}
		timer.Stop()
	}
}

// next takes the event that is due, or says how long it is until one is.
func (q *events) next() (do func(), wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 {
		return nil, 24 * time.Hour
	}
	if wait = time.Until(q.queue[0].due); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&q.queue).(event).do, 0
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }

func (h eventHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case !a.due.Equal(b.due):
		return a.due.Before(b.due)
	case a.order != b.order:
		return a.order < b.order
	case a.label != b.label:
		return a.label < b.label
	}
	return a.count < b.count
}

func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(e any)   { *h = append(*h, e.(event)) }

func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = event{}
	*h = (*h)[:last]
	return e
}
