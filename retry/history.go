package retry

import (
	"sync"
	"time"

	"github.com/onceward/onceward"
)

// History is what all sends of one operation know together. It is safe for concurrent use: several loops may run for one operation.
type History struct {
	minted time.Time

	mu        sync.Mutex
	watch     stopwatch
	anchored  bool
	ageAtHand time.Duration // the key's age when the watch was started
	window    time.Duration // the shortest one a server has told; zero: none
	open      int           // loops that run now
	doubt     bool          // some send may have taken effect
	executed  bool
}

// NewHistory starts a history. minted is when the key was minted; sentBefore says that the operation may have been sent
// by somebody else, such as this process before it crashed: then only the record can say that it was not executed.
func NewHistory(minted time.Time, sentBefore bool) *History {
	h := &History{}
	h.Begin(minted, sentBefore)
	return h
}

// Begin is NewHistory for a History that is part of something else. It comes before everything else.
func (h *History) Begin(minted time.Time, sentBefore bool) { h.minted, h.doubt = minted, sentBefore }

// Anchor starts to measure the key's age on both clocks; the first loop does it otherwise. Later calls change nothing.
func (h *History) Anchor(c Clock) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.anchor(c.WithDefaults())
}

func (h *History) anchor(c Clock) {
	if h.anchored {
		return
	}
	h.anchored, h.watch = true, startWatch(c)
	if !h.minted.IsZero() {
		h.ageAtHand = max(0, h.watch.wall.Sub(h.minted.Round(0)))
	}
}

// Window returns the shortest window that a server has told for this operation; zero: none has.
func (h *History) Window() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.window
}

// LearnWindow notes a window that a server told. Only a shorter one changes anything.
func (h *History) LearnWindow(w time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w > 0 && (h.window == 0 || w < h.window) {
		h.window = w
	}
}

// age is the time since the mint, by the clock that went further.
func (h *History) age(c Clock) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.anchor(c)
	return h.ageAtHand + h.watch.elapsed(c)
}

// begin opens a loop, and says whether it is certain that nothing was sent before it.
func (h *History) begin() (clean bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open++
	return h.open == 1 && !h.doubt && !h.executed
}

// end closes a loop that came to proof, and says what that makes of the operation.
func (h *History) end(proof Proof) onceward.Fate {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
	switch proof {
	case Refuted:
		if h.executed {
			return onceward.Unknown // two servers contradict each other
		}
		return onceward.NotExecuted
	case Proven:
		h.executed = true
	case Answered:
		// Beside other sends nobody knows which of them the reply is about.
		if h.doubt || h.open > 0 {
			h.doubt = true
		} else {
			h.executed = true
		}
	case Doubtful, ClearIfMinted:
		h.doubt = true
	}
	switch {
	case h.executed:
		return onceward.Executed
	case h.doubt || h.open > 0:
		return onceward.Unknown
	}
	return onceward.NotExecuted
}
