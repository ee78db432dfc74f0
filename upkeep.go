package onceward

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onceward/onceward/store"
)

// purgeBatch is how many records one call to the store removes at most.
const purgeBatch = 1000

// maintain purges the store every MaintainEvery until the guard closes.
func (g *Guard) maintain() {
	defer g.work.Done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the function: cancel closes ctx
		select {
		case <-g.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	tick := time.NewTicker(g.cfg.MaintainEvery)
	defer tick.Stop()
	var watch clockWatch
	for {
		select {
		case <-g.done:
			return
		case <-tick.C:
			g.maintainOnce(ctx, &watch)
		}
	}
}

// maintainOnce removes what is over, in batches, and counts what is left.
func (g *Guard) maintainOnce(ctx context.Context, watch *clockWatch) {
	began := time.Now()
	event := UpkeepEvent{}
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(ctx, g.cfg.StoreTimeout)
		result, err := g.store.Purge(bounded, store.PurgeRequest{Limit: purgeBatch, Expect: watch.expect(time.Now()), Tolerance: g.cfg.Skew})
		cancel()
		if err != nil {
			g.upkeepFailed(ctx, err)
			return
		}
		watch.saw(result.Now, time.Now())
		event.Removed += result.Removed
		if !result.More {
			break
		}
	}
	bounded, cancel := context.WithTimeout(ctx, g.cfg.StoreTimeout)
	defer cancel()
	stats, err := g.store.Stats(bounded, "")
	if err != nil {
		g.upkeepFailed(ctx, err)
		return
	}
	event.Stats, event.Took = stats, time.Since(began)
	g.cfg.Observer.upkeep(ctx, event)
	if stats.Unknown > 0 {
		g.cfg.Observer.alarm(ctx, AlarmEvent{Alarm: AlarmUnknown, Err: fmt.Errorf("%d operations are unknown, the oldest since %s: list and resolve them",
			stats.Unknown, stats.OldestUnknown.Std().Format(time.RFC3339))})
	}
}

func (g *Guard) upkeepFailed(ctx context.Context, err error) {
	select {
	case <-g.done: // the guard closes: no news
		return
	default:
	}
	alarm := AlarmUpkeep
	if errors.Is(err, store.ErrClock) {
		alarm = AlarmClock
	}
	g.cfg.Observer.alarm(ctx, AlarmEvent{Alarm: alarm, Err: err})
}

// clockWatch compares the store's clock with this process's monotonic one, from the first purge on. After a jump of the store's clock
// the two stay apart, and purges stay refused: a person has to look, and to start the process anew.
type clockWatch struct {
	store store.Time
	mono  time.Time
}

// expect is what the store's clock should show; zero before the first purge.
func (w *clockWatch) expect(now time.Time) store.Time {
	if w.store == 0 {
		return 0
	}
	return w.store.Add(now.Sub(w.mono))
}

// saw takes a good answer as the new base, so that slow drift does not add up.
func (w *clockWatch) saw(at store.Time, now time.Time) { w.store, w.mono = at, now }
