package onceward

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/onceward/onceward/store"
)

// Purger is what [Maintenance] works on: a [store.Store], or an executor's own table.
type Purger interface {
	Purge(ctx context.Context, q store.PurgeRequest) (store.PurgeResult, error)
	Stats(ctx context.Context, service string) (store.Stats, error)
}

// Maintenance removes what is over from a store, and counts what is left. A [Guard] has its own, and the stores' transactors have; Maintenance is for those who
// write another executor. Several at once, in one process or many, are as safe as the store's Purge: they take different records. Methods may be called
// concurrently; fields are not changed after the first call.
type Maintenance struct {
	Purger       Purger
	Every        time.Duration // between two rounds of Run
	StoreTimeout time.Duration // of one call on the store
	Skew         time.Duration // by how much the store's clock may go away from this process's
	Observer     Observer

	mu    sync.Mutex
	watch clockWatch
}

// purgeBatch is how many records one call to the store removes at most.
const purgeBatch = 1000

// Run makes a round every Every until ctx ends. A failure is an alarm, and the next round tries again.
func (m *Maintenance) Run(ctx context.Context) {
	tick := time.NewTicker(m.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := m.Round(ctx)
		if err == nil || ctx.Err() != nil { // who ends us need not hear of it
			continue
		}
		alarm := AlarmUpkeep
		if errors.Is(err, store.ErrClock) {
			alarm = AlarmClock
		}
		m.Observer.alarm(ctx, AlarmEvent{Alarm: alarm, Err: err})
	}
}

// Round removes all that is over, in batches, counts what is left, and tells the observer: also if removing has failed, for what is unknown must not be
// hidden by that. A batch that fails and yet removes something, as where a part of the store does not answer, is followed by others, until Every is over.
// From the second round on it is refused with [store.ErrClock] if the store's clock has jumped: until the process starts anew, for a person has to look.
func (m *Maintenance) Round(ctx context.Context) error {
	began := time.Now()
	event := UpkeepEvent{}
	var failed error
	for more := true; more; {
		result, err := m.purge(ctx)
		if errors.Is(err, store.ErrClock) || ctx.Err() != nil && err != nil {
			return err
		}
		event.Removed += result.Removed
		if err != nil && failed == nil {
			failed = err
		}
		more = result.More && (failed == nil || result.Removed > 0 && time.Since(began) < m.Every)
	}
	bounded, cancel := context.WithTimeout(ctx, m.StoreTimeout)
	defer cancel()
	stats, err := m.Purger.Stats(bounded, "")
	if err != nil {
		return errors.Join(failed, err)
	}
	event.Stats, event.Took = stats, time.Since(began)
	m.Observer.upkeep(ctx, event)
	if stats.Unknown > 0 {
		m.Observer.alarm(ctx, AlarmEvent{Alarm: AlarmUnknown, Err: fmt.Errorf("%d operations are unknown, the oldest since %s: list and resolve them",
			stats.Unknown, stats.OldestUnknown.Std().Format(time.RFC3339))})
	}
	return failed
}

// purge removes a batch. Rounds at once take turns at it, so that each compares the clocks with the newest answer.
func (m *Maintenance) purge(ctx context.Context) (store.PurgeResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, m.StoreTimeout)
	defer cancel()
	began := time.Now()
	expect, unsure := m.watch.expect(began)
	result, err := m.Purger.Purge(bounded, store.PurgeRequest{Limit: purgeBatch, Expect: expect, Tolerance: m.Skew + unsure})
	if result.Now != 0 && !errors.Is(err, store.ErrClock) { // it may have failed after that
		m.watch.saw(result.Now, began, time.Now())
	}
	return result, err
}

// clockWatch compares the store's clock with this process's monotonic one, from the first purge on. After a jump of the store's clock
// the two stay apart, and purges stay refused: a person has to look, and to start the process anew.
type clockWatch struct {
	store  store.Time
	mono   time.Time
	unsure time.Duration // by how much mono may be away from the moment at which the store's clock was read
}

// expect is what the store's clock should show, and how sure that is; zero before the first purge.
func (w *clockWatch) expect(now time.Time) (at store.Time, unsure time.Duration) {
	if w.store == 0 {
		return 0, 0
	}
	return w.store.Add(now.Sub(w.mono)), w.unsure
}

// saw takes a good answer as the new base, so that slow drift does not add up. The store has read its clock at some moment from began to ended, and does not say
// when: the middle is wrong by half of that at most.
func (w *clockWatch) saw(at store.Time, began, ended time.Time) {
	w.unsure = ended.Sub(began) / 2
	w.store, w.mono = at, began.Add(w.unsure)
}
