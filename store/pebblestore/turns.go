package pebblestore

import (
	"context"

	"github.com/onceward/onceward/store"
)

// turns are a lock for upkeep, which one caller takes alone or several share, and which nobody waits for beyond his deadline.
type turns struct {
	alone  chan struct{} // one at a time wants all places
	places chan struct{}
}

const sharing = 16 // callers at once

func newTurns() turns { return turns{make(chan struct{}, 1), make(chan struct{}, sharing)} }

func occupy(ctx context.Context, closing <-chan struct{}, seats chan<- struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case seats <- struct{}{}: // also if the store is closing: Close waits for the calls that are under way
		return nil
	default:
	}
	select {
	case seats <- struct{}{}:
		return nil
	case <-closing:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// share waits until nobody has the lock alone. [turns.leave] ends it.
func (t turns) share(ctx context.Context, closing <-chan struct{}) error {
	return occupy(ctx, closing, t.places)
}

func (t turns) leave() { <-t.places }

// take waits until nobody else has the lock. [turns.give] ends it.
func (t turns) take(ctx context.Context, closing <-chan struct{}) error {
	if err := occupy(ctx, closing, t.alone); err != nil {
		return err
	}
	for n := range sharing {
		if err := occupy(ctx, closing, t.places); err != nil {
			t.vacate(n)
			return err
		}
	}
	return nil
}

func (t turns) give() { t.vacate(sharing) }

func (t turns) vacate(places int) {
	for range places {
		<-t.places
	}
	<-t.alone
}
