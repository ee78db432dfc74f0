package onceward_test

import (
	"context"
	"errors"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// nameless hides that a store finds operations by their id.
type nameless struct{ store.Store }

// Somebody who has nothing but the id from a log finds the operation, also when only the trail has it, and is not told of one that never was.
func TestShowByTheIDAlone(t *testing.T) {
	for name, hide := range map[string]bool{"a store that finds": false, "a store that does not": true} {
		var table store.Store = memstore.New(memstore.Config{})
		if hide {
			table = nameless{table}
		}
		guard, err := onceward.New(table, onceward.Config{MaintainEvery: onceward.NoMaintenance})
		if err != nil {
			t.Fatal(err)
		}
		explicit, err := guard.With(func(c *onceward.Config) { c.ExplicitStart = true })
		if err != nil {
			t.Fatal(err)
		}
		doubt := func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.DoubtError(nil) }
		held, freed, never := call(mint(t), "x"), call(mint(t), "x"), call(mint(t), "x")
		_, _ = guard.Do(ctx, held, doubt)
		_, _ = explicit.Do(ctx, freed, doubt)
		idOf := func(c onceward.Call) store.ID { return c.Scope.Identity(c.Key).ID }
		claim, err := guard.Show(ctx, freed.Scope, freed.Key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := guard.Release(ctx, onceward.Release{Record: claim.Record, Actor: "ops", Reason: "stuck"}); err != nil {
			t.Fatal(err)
		}

		shown, err := guard.ShowID(ctx, idOf(held))
		if want, _ := guard.Show(ctx, held.Scope, held.Key); err != nil || shown.Record.Version != want.Record.Version || shown.Record.Identity != want.Record.Identity {
			t.Errorf("%s: held: %+v %v", name, shown.Record, err)
		}
		if shown, err = during(t, guard, idOf); err != nil || shown.Record.State != store.Started {
			t.Errorf("%s: at work: %+v %v", name, shown.Record, err)
		}
		shown, err = guard.ShowID(ctx, idOf(freed))
		if err != nil || shown.Record.State != store.Absent || shown.Record.Key != freed.Key.Text() || shown.Record.Principal != freed.Scope.Principal {
			t.Errorf("%s: what the trail has: %+v %v", name, shown.Record, err)
		}
		shown, err = guard.ShowID(ctx, idOf(never))
		if !hide && (err != nil || shown.Record.State != store.Absent || shown.Record.Key != "") {
			t.Errorf("%s: never seen: %+v %v", name, shown.Record, err)
		} else if hide && !errors.Is(err, onceward.ErrConfig) {
			t.Errorf("%s: never seen: %v, want an error that says what to do", name, err)
		}
		if shown, err = guard.ShowID(ctx, store.ID{}); err != nil || shown.Record.Key != "" {
			t.Errorf("%s: no id at all: %+v %v", name, shown.Record, err)
		}
		_ = guard.Close(ctx)
		if _, err := guard.ShowID(ctx, idOf(held)); !errors.Is(err, onceward.ErrStoreUnavailable) {
			t.Errorf("%s: closed: %v", name, err)
		}
	}
}

// during looks for an operation by its id while it runs.
func during(t *testing.T, guard *onceward.Guard, idOf func(onceward.Call) store.ID) (shown onceward.Showing, err error) {
	t.Helper()
	running := call(mint(t), "x")
	_, _ = guard.Do(ctx, running, func(ctx context.Context, _ onceward.Attempt) onceward.Outcome {
		shown, err = guard.ShowID(ctx, idOf(running))
		return onceward.Save(onceward.Reply{Status: 200})
	})
	return shown, err
}
