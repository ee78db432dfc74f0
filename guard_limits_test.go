package onceward_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// The tests TestLimit… show where promises of docs/guarantees.md end: mostly, a second effect. They stay green for as long as
// the limit is there. One that fails says that the page promises too little.

func uuidKey(t *testing.T) onceward.Key {
	t.Helper()
	key, err := onceward.UUIDv4{}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// onto is a server on a store that other servers go on using.
func onto(t *testing.T, s store.Store, cfg onceward.Config) *onceward.Guard {
	t.Helper()
	g, err := onceward.New(shared{s}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close(ctx) })
	return g
}

// shared outlives each of its servers.
type shared struct{ store.Store }

func (shared) Close() error { return nil }

// runsAgain sends a call that has had its effect once, and expects a second one.
func runsAgain(t *testing.T, g *onceward.Guard, c onceward.Call, runs *atomic.Int64) {
	t.Helper()
	before := runs.Load()
	r, err := g.Do(ctx, c, saving(runs))
	if runs.Load() != before+1 {
		t.Errorf("it ran %d times, with %q, %v: the limit is gone; say so in docs/guarantees.md", runs.Load(), r.Reply.Body, err)
	}
}

// A memory store forgets when its process ends.
func TestLimitAMemoryStoreForgets(t *testing.T) {
	var runs atomic.Int64
	c := call(mint(t), "x")
	before := onto(t, memstore.New(memstore.Config{}), onceward.Config{})
	if _, err := before.Do(ctx, c, saving(&runs)); err != nil {
		t.Fatal(err)
	}
	after := onto(t, memstore.New(memstore.Config{}), onceward.Config{}) // what a restart leaves
	runsAgain(t, after, c, &runs)
	if text := after.Guarantee().String(); !strings.Contains(text, "After a restart every key is new") {
		t.Errorf("the guarantee does not say so: %s", text)
	}
}

// Two servers with a store each do not know of each other.
func TestLimitTwoStoresRunTwice(t *testing.T) {
	var runs atomic.Int64
	c := call(mint(t), "x")
	here, there := onto(t, memstore.New(memstore.Config{}), onceward.Config{}), onto(t, memstore.New(memstore.Config{}), onceward.Config{})
	if _, err := here.Do(ctx, c, saving(&runs)); err != nil {
		t.Fatal(err)
	}
	runsAgain(t, there, c, &runs)
	if text := here.Guarantee().String(); !strings.Contains(text, "One process only") {
		t.Errorf("the guarantee does not say so: %s", text)
	}
}

// A store that was restored does not know what happened after its backup. Sealing it refuses what it may have forgotten.
func TestLimitARestoredStoreRunsTwiceUnlessSealed(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		var runs atomic.Int64
		c := call(mint(t), "x")
		g := onto(t, memstore.New(memstore.Config{}), onceward.Config{})
		if _, err := g.Do(ctx, c, saving(&runs)); err != nil {
			t.Fatal(err)
		}
		backup := memstore.New(memstore.Config{}) // made before the operation
		g = onto(t, backup, onceward.Config{})
		if !sealed {
			runsAgain(t, g, c, &runs)
			continue
		}
		if _, err := backup.Seal(ctx, alice.Service, store.TimeOf(time.Now())); err != nil {
			t.Fatal(err)
		}
		_, err := g.Do(ctx, c, saving(&runs))
		wantErr(t, err, onceward.ErrKeyExpired)
		if runs.Load() != 1 {
			t.Errorf("ran %d times", runs.Load())
		}
	}
}

// The service's name is a part of the operation's. A renamed service knows none of its keys.
func TestLimitARenamedServiceKnowsNoKeys(t *testing.T) {
	var runs atomic.Int64
	c := call(mint(t), "x")
	g := onto(t, memstore.New(memstore.Config{}), onceward.Config{})
	if _, err := g.Do(ctx, c, saving(&runs)); err != nil {
		t.Fatal(err)
	}
	c.Scope.Service = "orders-v2"
	runsAgain(t, g, c, &runs)
}

// A function that says Free although something happened is believed.
func TestLimitAWrongFreeRunsTwice(t *testing.T) {
	var runs atomic.Int64
	c := call(mint(t), "x")
	g := onto(t, memstore.New(memstore.Config{}), onceward.Config{})
	_, err := g.Do(ctx, c, func(context.Context, onceward.Attempt) onceward.Outcome {
		runs.Add(1)
		return onceward.FreeError(errors.New("timed out, so surely nothing happened"))
	})
	wantErr(t, err, onceward.ErrFreed)
	runsAgain(t, g, c, &runs)
}

// An operator who attests what is not so makes a client send the same wish under a new key.
func TestLimitAWrongAttestationDoubles(t *testing.T) {
	var runs atomic.Int64
	c := call(mint(t), "x")
	g := onto(t, memstore.New(memstore.Config{}), onceward.Config{})
	_, err := g.Do(ctx, c, func(context.Context, onceward.Attempt) onceward.Outcome {
		runs.Add(1)
		return onceward.DoubtError(errors.New("the provider did not answer"))
	})
	wantErr(t, err, onceward.ErrOutcomeUnknown)
	page, err := g.Unknowns(ctx, onceward.UnknownsRequest{})
	if err != nil || len(page.Records) != 1 {
		t.Fatalf("unknowns: %+v, %v", page.Records, err)
	}
	if _, err := g.Resolve(ctx, onceward.Resolution{Record: page.Records[0], Attested: true, Actor: "ops", Reason: "looked in the wrong account"}); err != nil {
		t.Fatal(err)
	}
	_, err = g.Do(ctx, c, saving(&runs))
	var told *onceward.Error
	if !errors.As(err, &told) || !told.SafeNewKey || onceward.FateOf(err) != onceward.NotExecuted {
		t.Fatalf("the client is told %v", err)
	}
	c.Key = mint(t)
	runsAgain(t, g, c, &runs)
}

// Rerun runs again what an owner left in doubt. A downstream that remembers the child key applies the step once; another one twice.
func TestLimitRerunDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{OnLapse: onceward.Rerun})
		c, effects, remembered := call(mint(t), "x"), 0, map[onceward.Key]bool{}
		step := func(ctx context.Context) {
			child, err := onceward.Child(ctx, "charge")
			if err != nil {
				t.Error(err)
			}
			effects++
			remembered[child] = true
		}
		_, err := w.a.Do(ctx, c, func(ctx context.Context, _ onceward.Attempt) onceward.Outcome {
			step(ctx)
			return onceward.DoubtError(errors.New("the reply was lost"))
		})
		wantErr(t, err, onceward.ErrOutcomeUnknown)
		time.Sleep(12 * time.Hour)
		if effects != 1 {
			t.Error("it ran again although nobody called")
		}
		r, err := w.b.Do(ctx, c, func(ctx context.Context, a onceward.Attempt) onceward.Outcome {
			if !a.Doubted {
				t.Error("the second run is not told that there was a first")
			}
			step(ctx)
			return onceward.Save(reply("second"))
		})
		wantReply(t, r, err, "second", false)
		if effects != 2 || len(remembered) != 1 {
			t.Errorf("%d effects under %d child keys; want 2 under 1", effects, len(remembered))
		}
	})
}

// Whoever can send can fill the store: then everybody's new operations are refused.
func TestLimitOneCallerFillsTheStore(t *testing.T) {
	var runs atomic.Int64
	g := onto(t, memstore.New(memstore.Config{MaxRecords: 3}), onceward.Config{})
	for range 3 {
		if _, err := g.Do(ctx, call(mint(t), "x"), saving(&runs)); err != nil {
			t.Fatal(err)
		}
	}
	bob := call(mint(t), "x")
	bob.Scope.Principal = "bob"
	_, err := g.Do(ctx, bob, saving(&runs))
	wantErr(t, err, onceward.ErrStoreUnavailable)
}

// fmt cannot call the methods of a field that is not exported, so a key in one prints whole.
func TestLimitAKeyInAnUnexportedFieldPrints(t *testing.T) {
	key := mint(t)
	if text := fmt.Sprintf("%v", struct{ key onceward.Key }{key}); !strings.Contains(text, key.Text()) {
		t.Errorf("it prints %s: the limit is gone", text)
	}
	if text := fmt.Sprintf("%v", struct{ Key onceward.Key }{key}); strings.Contains(text, key.Text()) {
		t.Error("a key in an exported field prints whole")
	}
}
