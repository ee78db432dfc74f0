package memstore

import "github.com/onceward/onceward/store"

// timed is something and the time when it is over.
type timed[T any] struct {
	at   store.Time
	what T
}

// heap gives the earliest first. Times that come in order cost one comparison each.
type heap[T any] []timed[T]

// dueBy reports whether the earliest is over at now.
func (h heap[T]) dueBy(now store.Time) bool { return len(h) > 0 && h[0].at <= now }

func (h *heap[T]) push(at store.Time, what T) {
	*h = append(*h, timed[T]{at, what})
	s := *h
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if s[up].at <= s[i].at {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

// pop takes out the earliest; there must be one.
func (h *heap[T]) pop() timed[T] {
	s := *h
	first, last := s[0], len(s)-1
	s[0] = s[last]
	s[last] = timed[T]{}
	s = s[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if right := down + 1; right < last && s[right].at < s[down].at {
			down = right
		}
		if s[i].at <= s[down].at {
			break
		}
		s[i], s[down] = s[down], s[i]
		i = down
	}
	*h = s
	h.shrink()
	return first
}

// shrink gives memory back once most of it is unused; a quarter, so that the next growth is far.
func (h *heap[T]) shrink() {
	if cap(*h) >= 256 && len(*h) < cap(*h)/4 {
		*h = append(make(heap[T], 0, cap(*h)/2), *h...)
	}
}
