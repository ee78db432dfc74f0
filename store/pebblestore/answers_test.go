package pebblestore

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// asked is a store whose questions to Pebble, how much it holds in memory, the test answers, and what an answer is that holds everybody back.
func asked(t *testing.T) (s *Store, questions chan chan int64, full int64) {
	t.Helper()
	s = begin(t, Config{})
	questions = make(chan chan int64, 10)
	s.backlog.measure = func(*pebble.DB) (bytes, layers int64) {
		answer := make(chan int64)
		questions <- answer
		return <-answer, 0
	}
	return s, questions, waitAt * s.backlog.table
}

// passing lets a write pass, and says when it has.
func passing(ctx context.Context, s *Store) chan error {
	done := make(chan error, 1)
	go func() { done <- s.pass(ctx) }()
	return done
}

func passes(t *testing.T, who string, done chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%s: %v", who, err)
		}
	case <-time.After(2 * time.Second):
		t.Fatalf("%s waits, though there is room and no flush will come", who)
	}
}

// Pebble answers late while it writes its manifest. An answer that is older than what is known already holds nobody back.
func TestOldAnswersDoNotCount(t *testing.T) {
	s, questions, full := asked(t)
	defer s.Close()
	s.backlog.stale.Store(true)
	first := passing(t.Context(), s)
	old := <-questions
	s.backlog.stale.Store(true) // a flush has ended
	second := passing(t.Context(), s)
	(<-questions) <- 0
	passes(t, "who asked later", second)
	old <- full
	passes(t, "who asked first", first)
	passes(t, "a third", passing(t.Context(), s))
}

// waitingContext says when somebody waits for its end.
type waitingContext struct {
	context.Context
	once sync.Once
	on   chan struct{}
}

func (c *waitingContext) Done() <-chan struct{} {
	c.once.Do(func() { close(c.on) })
	return c.Context.Done()
}

// When tables are written all who waited wake, and one of them asks Pebble. The others, who still know the old answer only, wait for the new one and not for one more flush.
func TestAnAnswerWakesWhoWaits(t *testing.T) {
	s, questions, full := asked(t)
	defer s.Close()
	s.backlog.bytes.Store(full)
	s.backlog.stale.Store(true)
	first := passing(t.Context(), s)
	question := <-questions
	ctx := &waitingContext{Context: t.Context(), on: make(chan struct{})}
	second := passing(ctx, s)
	<-ctx.on
	question <- 0
	passes(t, "who asked", first)
	passes(t, "who did not", second)
}

// Who asks Pebble, which may take as long as its manifest does, holds nobody up.
func TestWhoAsksHoldsNobodyUp(t *testing.T) {
	s, questions, _ := asked(t)
	defer s.Close()
	who := identity("asked", 0)
	s.backlog.stale.Store(true)
	done := make(chan error, 1)
	go func() { _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); done <- err }()
	question := <-questions
	if svc := s.find(who.Service); locked(s) > 0 || svc != nil && !svc.gate.TryLock() {
		t.Error("who asks Pebble has a record or its service locked")
	} else if svc != nil {
		svc.gate.Unlock()
	}
	question <- 0
	passes(t, "the claim", done)
}
