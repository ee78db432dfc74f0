package onceward

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type nameKey struct{}

func detachedFrom(ctx context.Context, limit time.Duration) *detached {
	d := &detached{late: errHandlerLimit, run: NewRun(Call{}, nil)}
	d.detach(ctx, time.Now().Add(limit))
	return d
}

func TestDetachedKeepsValuesAndNotTheCancellation(t *testing.T) {
	parent, cancel := context.WithCancelCause(context.WithValue(context.Background(), nameKey{}, "alice"))
	d := detachedFrom(parent, time.Hour)
	cancel(errors.New("the client has left"))
	child, stop := context.WithCancel(d)
	defer stop()
	for _, ctx := range []context.Context{detachedFrom(parent, time.Hour), d, child} {
		if ctx.Err() != nil || context.Cause(ctx) != nil {
			t.Errorf("ended with its caller: %v, %v", ctx.Err(), context.Cause(ctx))
		}
		if got := ctx.Value(nameKey{}); got != "alice" {
			t.Errorf("its value is %v", got)
		}
		if _, err := runOf(ctx); err != nil {
			t.Errorf("its run is lost: %v", err)
		}
		select {
		case <-ctx.Done():
			t.Error("done with its caller")
		default:
		}
	}
}

// However late somebody looks, a context says how it ended, and never something else later.
func TestDetachedEnds(t *testing.T) {
	reason := errors.New("replaced")
	ends := map[string]struct {
		end       func(*detached)
		err, root error
	}{
		"cancelled":                       {func(d *detached) { d.end(reason) }, context.Canceled, reason},
		"cancelled twice":                 {func(d *detached) { d.end(reason); d.end(errors.New("other")) }, context.Canceled, reason},
		"over":                            {func(*detached) { time.Sleep(2 * time.Minute) }, context.DeadlineExceeded, errHandlerLimit},
		"seen to be over, then cancelled": {func(d *detached) { time.Sleep(2 * time.Minute); _ = d.Err(); d.end(reason) }, context.DeadlineExceeded, errHandlerLimit},
		"cancelled and then over":         {func(d *detached) { d.end(reason); time.Sleep(2 * time.Minute) }, context.Canceled, reason},
	}
	looks := map[string]func(*detached) context.Context{ // before the end
		"nobody": func(d *detached) context.Context { return d },
		"done":   func(d *detached) context.Context { d.Done(); return d },
		"child": func(d *detached) context.Context {
			child, stop := context.WithCancel(d)
			t.Cleanup(stop)
			return child
		},
		"value": func(d *detached) context.Context { d.Value(nameKey{}); return d },
	}
	for end, e := range ends {
		for look, before := range looks {
			synctest.Test(t, func(t *testing.T) {
				d := detachedFrom(context.Background(), time.Minute)
				ctx := before(d)
				e.end(d)
				synctest.Wait()
				for range 2 {
					if !errors.Is(ctx.Err(), e.err) || !errors.Is(context.Cause(ctx), e.root) {
						t.Errorf("%s, %s looked before: %v because of %v, want %v because of %v", end, look, ctx.Err(), context.Cause(ctx), e.err, e.root)
					}
					select {
					case <-ctx.Done():
					default:
						t.Errorf("%s, %s looked before: not done", end, look)
					}
					late, stop := context.WithCancel(ctx) // made after the end
					if !errors.Is(late.Err(), e.err) || !errors.Is(context.Cause(late), e.root) {
						t.Errorf("%s, %s looked before: a child: %v because of %v", end, look, late.Err(), context.Cause(late))
					}
					stop()
					time.Sleep(time.Hour)
				}
				d.end(nil) // whoever makes one ends it, also for the timer's sake
			})
		}
	}
}

// A context is asked by whom a function leaves behind while the guard ends it.
func TestDetachedIsSafeForConcurrentUse(t *testing.T) {
	for range 200 {
		d := detachedFrom(context.Background(), time.Hour)
		var all sync.WaitGroup
		for _, ask := range []func(){
			func() { d.end(errReplaced) },
			func() { d.end(nil) },
			func() { <-d.Done() },
			func() { _ = d.Err(); _ = context.Cause(d) },
			func() { d.Value(nameKey{}) },
			func() { context.AfterFunc(d, func() {}) },
		} {
			all.Go(ask)
		}
		all.Wait()
		if !errors.Is(d.Err(), context.Canceled) {
			t.Fatal(d.Err())
		}
	}
}
