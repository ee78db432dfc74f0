package onceward

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/onceward/onceward/store"
)

// unsettled is a step that the store has not answered: a release of a claim under which nothing ran, or the saving of a reply.
type unsettled struct {
	who store.Identity
	ask store.AdvanceRequest
}

// settler carries out steps behind their callers' backs, in order, until the store answers. Its goroutine lives only while there is something to
// settle. It is bounded: beyond the bound new calls are refused, so that nothing has to be dropped.
type settler struct {
	mu      sync.Mutex
	queue   []unsettled
	limit   int
	running bool
	idle    *sync.Cond
	stop    chan struct{} // closed by abandon
}

func (s *settler) init(cfg Config) {
	s.limit, s.stop = cfg.MaxUnsettled, make(chan struct{})
	s.idle = sync.NewCond(&s.mu)
}

// full reports whether new calls have to be refused.
func (s *settler) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) >= s.limit
}

// settle queues a step. Calls that had begun before the bound was reached may exceed it: each call adds at most one.
func (g *Guard) settle(u unsettled) {
	s := &g.settler
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, u)
	if !s.running {
		s.running = true
		go g.settleAll()
	}
}

// settleAll empties the queue. A step that fails goes to the end, so that one the store cannot take does not hold up the others.
func (g *Guard) settleAll() {
	again := newPoll()
	for {
		u, ok := g.settler.first()
		if !ok {
			return
		}
		bounded, cancel := context.WithTimeout(context.Background(), g.cfg.StoreTimeout)
		answer, err := g.store.Advance(bounded, u.ask)
		cancel()
		g.settler.mu.Lock()
		g.settler.queue[0] = unsettled{} // the array lives on, the reply must not
		g.settler.queue = g.settler.queue[1:]
		if retry := g.retry(&u, err); retry {
			g.settler.queue = append(g.settler.queue, u)
		}
		g.settler.mu.Unlock()
		if err == nil {
			again = newPoll()
			g.settled(u, answer)
			continue
		}
		select {
		case <-time.After(again.next()):
		case <-g.settler.stop:
		}
	}
}

// retry says whether a step that ended with err is to be asked again, and how.
func (g *Guard) retry(u *unsettled, err error) bool {
	switch {
	case err == nil, errors.Is(err, store.ErrClosed):
		return false
	case errors.Is(err, store.ErrInvalid) && u.ask.End != store.EndReply:
		return false
	case u.ask.Op == store.OpComplete && (errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrInvalid)):
		u.ask.End, u.ask.Reply = store.EndReplyNotKept, nil // a tombstone always fits
	}
	return true
}

// settled looks at what became of a late save.
func (g *Guard) settled(u unsettled, answer store.Answer) {
	if u.ask.Op != store.OpComplete || answer.Verdict == store.Applied {
		return
	}
	event := AlarmEvent{Alarm: AlarmReplaced, Service: u.who.Service, ID: u.who.ID, Err: heldBy(answer.Record)}
	if answer.Record.End == store.EndNotExecuted {
		event.Alarm = AlarmContradiction
	}
	g.cfg.Observer.alarm(context.Background(), event)
}

// first returns the head of the queue; when there is none, or the settler has been abandoned, its goroutine ends.
func (s *settler) first() (unsettled, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stopped := false
	select {
	case <-s.stop:
		stopped = true
	default:
	}
	if len(s.queue) == 0 || stopped {
		s.running = false
		s.idle.Broadcast()
		return unsettled{}, false
	}
	return s.queue[0], true
}

// wait returns when nothing is left to settle, or the settler has been abandoned.
func (s *settler) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.running {
		s.idle.Wait()
	}
}

// abandon stops settling and returns how many steps are left undone.
func (s *settler) abandon() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.stop)
	return len(s.queue)
}
