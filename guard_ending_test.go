package onceward_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/onceward/onceward"
)

var errBusiness = errors.New("no such account")

// TestHowTheFunctionEnds is the table of what an ending means under each policy: what the caller gets, and what the next call finds.
func TestHowTheFunctionEnds(t *testing.T) {
	type fn = func(context.Context, onceward.Attempt) onceward.Outcome
	noEffect := func(c context.Context, _ onceward.Attempt) onceward.Outcome {
		_ = onceward.NoEffect(c)
		return onceward.Doubt(reply("busy"))
	}
	panics := func(context.Context, onceward.Attempt) onceward.Outcome { panic("boom") }
	cases := []struct {
		name     string
		end      fn
		standing onceward.Standing // of the first reply; zero: an error
		err      error
		again    [2]string // what the second call gets under MarkUnknown and Rerun: the first reply, "runs", or "unknown"
	}{
		{"save", func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.Save(reply("r")) }, onceward.Saved, nil, [2]string{"r", "r"}},
		{"reject", func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.Reject(reply("r")) }, onceward.Saved, nil, [2]string{"r", "r"}},
		{"free", func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.Free(reply("r")) }, onceward.Freed, nil, [2]string{"runs", "runs"}},
		{"free error", func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.FreeError(errBusiness) }, 0, errBusiness, [2]string{"runs", "runs"}},
		{"doubt", func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.Doubt(reply("r")) }, onceward.Doubted, nil, [2]string{"unknown", "runs"}},
		{"doubt error", func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.DoubtError(errBusiness) }, 0, errBusiness, [2]string{"unknown", "runs"}},
		{"no effect", noEffect, onceward.Freed, nil, [2]string{"runs", "runs"}},
		{"panic", panics, 0, nil, [2]string{"unknown", "runs"}},
	}
	for _, c := range cases {
		for i, policy := range []onceward.Policy{onceward.MarkUnknown, onceward.Rerun} {
			t.Run(c.name+"/"+policy.String(), func(t *testing.T) {
				w := newWorld(t, onceward.Config{OnLapse: policy})
				key := mint(t)
				r, err := doRecovering(w.a, call(key, "x"), c.end)
				if r.Standing != c.standing || c.err != nil && !errors.Is(err, c.err) {
					t.Fatalf("first: %v %v", r.Standing, err)
				}
				var runs atomic.Int64
				r, err = w.b.Do(ctx, call(key, "x"), saving(&runs))
				switch c.again[i] {
				case "runs":
					wantReply(t, r, err, "run 1", false)
				case "unknown":
					wantErr(t, err, onceward.ErrOutcomeUnknown)
				default:
					wantReply(t, r, err, c.again[i], true)
				}
			})
		}
	}
}

var errPanicked = errors.New("panicked")

func doRecovering(g *onceward.Guard, c onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (r onceward.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errPanicked
		}
	}()
	return g.Do(ctx, c, fn)
}

func TestAPanicGoesOnToTheCaller(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	_, err := doRecovering(w.a, call(mint(t), "x"), func(context.Context, onceward.Attempt) onceward.Outcome { panic("boom") })
	wantErr(t, err, errPanicked)
}

func TestADoubtedRecordIsNeverFreed(t *testing.T) {
	w := newWorld(t, onceward.Config{OnLapse: onceward.Rerun})
	key := mint(t)
	doubt := func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.DoubtError(nil) }
	_, _ = w.a.Do(ctx, call(key, "x"), doubt)
	_, err := w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.FreeError(errBusiness) })
	wantErr(t, err, onceward.ErrOutcomeUnknown)
	// The record is still there: another request under the key is refused.
	_, err = w.a.Do(ctx, call(key, "y"), doubt)
	wantErr(t, err, onceward.ErrKeyReused)
}

func TestTheRecordsPolicyCountsNotTheServers(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	key := mint(t)
	_, _ = w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.DoubtError(nil) })
	rerun, err := w.a.With(func(c *onceward.Config) { c.OnLapse = onceward.Rerun })
	if err != nil {
		t.Fatal(err)
	}
	var runs atomic.Int64
	_, err = rerun.Do(ctx, call(key, "x"), saving(&runs))
	wantErr(t, err, onceward.ErrOutcomeUnknown)
	if runs.Load() != 0 {
		t.Error("what was held has run again")
	}
}

func TestExplicitStart(t *testing.T) {
	explicit := func(c *onceward.Config) { c.ExplicitStart = true }
	t.Run("what fails before Start runs again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, onceward.Config{ExplicitStart: true})
			key := mint(t)
			_, _ = doRecovering(w.a, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome { panic("early") })
			r, err := w.b.Do(ctx, call(key, "x"), func(c context.Context, a onceward.Attempt) onceward.Outcome {
				if err := onceward.Start(c); err != nil || a.Doubted {
					t.Errorf("start: %v, doubted: %v", err, a.Doubted)
				}
				return onceward.Save(reply("done"))
			})
			wantReply(t, r, err, "done", false)
		})
	})
	t.Run("what fails after Start is unknown", func(t *testing.T) {
		w := newWorld(t, onceward.Config{ExplicitStart: true})
		key := mint(t)
		_, _ = doRecovering(w.a, call(key, "x"), func(c context.Context, _ onceward.Attempt) onceward.Outcome {
			_ = onceward.Start(c)
			panic("late")
		})
		_, err := w.b.Do(ctx, call(key, "x"), nil)
		wantErr(t, err, onceward.ErrOutcomeUnknown)
	})
	t.Run("a success without Start is an error and nobody runs again", func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		g, err := w.a.With(explicit)
		if err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int64
		key := mint(t)
		_, err = g.Do(ctx, call(key, "x"), saving(&runs))
		wantErr(t, err, onceward.ErrNotStarted)
		_, err = g.Do(ctx, call(key, "x"), saving(&runs))
		wantErr(t, err, onceward.ErrOutcomeUnknown)
	})
	t.Run("a rejection needs no Start", func(t *testing.T) {
		w := newWorld(t, onceward.Config{ExplicitStart: true})
		r, err := w.a.Do(ctx, call(mint(t), "x"), func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.Reject(reply("no")) })
		wantReply(t, r, err, "no", false)
	})
	t.Run("Start fails for an owner that was replaced", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, onceward.Config{ExplicitStart: true})
			key := mint(t)
			w.store.fail(on("extend"), nil)
			_, err := w.a.Do(ctx, call(key, "x"), func(c context.Context, _ onceward.Attempt) onceward.Outcome {
				sleepPast(onceward.DefaultLease)
				r, err := w.b.Do(ctx, call(key, "x"), func(c context.Context, _ onceward.Attempt) onceward.Outcome {
					_ = onceward.Start(c)
					return onceward.Save(reply("second"))
				})
				wantReply(t, r, err, "second", false)
				if onceward.Start(c) == nil {
					t.Error("two owners have started")
				}
				return onceward.FreeError(errBusiness)
			})
			if err != nil {
				t.Errorf("the record has an answer: %v", err)
			}
		})
	})
}

func TestChildKeys(t *testing.T) {
	w := newWorld(t, onceward.Config{OnLapse: onceward.Rerun})
	key := mint(t)
	var got [2][2]onceward.Key
	for i := range got {
		_, _ = w.a.Do(ctx, call(key, "x"), func(c context.Context, _ onceward.Attempt) onceward.Outcome {
			got[i][0], _ = onceward.Child(c, "charge")
			got[i][1], _ = onceward.Child(c, "ship")
			_, _ = onceward.Child(c, "tell")
			for _, used := range []string{"charge", "ship", "tell"} {
				_, err := onceward.Child(c, used)
				wantErr(t, err, onceward.ErrStepReused)
			}
			return onceward.DoubtError(nil)
		})
	}
	if got[0] != got[1] || got[0][0] == got[0][1] || got[0][0].IsZero() {
		t.Errorf("child keys %v: the same in each run, another for each step", got)
	}
	_, err := onceward.Child(ctx, "charge")
	wantErr(t, err, onceward.ErrNoAttempt)
}

func TestResolveAgainstALateOwner(t *testing.T) {
	w := newWorld(t, onceward.Config{Wait: onceward.NoWait})
	key := mint(t)
	_, _ = w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.DoubtError(nil) })
	page, err := w.a.Unknowns(ctx, onceward.UnknownsRequest{Service: "orders"})
	if err != nil || len(page.Records) != 1 {
		t.Fatal(page, err)
	}
	res := onceward.Resolution{Record: page.Records[0], Attested: true, Actor: "ops"}
	_, err = w.a.Resolve(ctx, res)
	wantErr(t, err, onceward.ErrConfig) // no reason
	res.Reason = "the provider has no such charge"
	if _, err := w.a.Resolve(ctx, res); err != nil {
		t.Fatal(err)
	}
	_, err = w.a.Do(ctx, call(key, "x"), nil)
	wantErr(t, err, onceward.ErrNotExecuted)
	if onceward.FateOf(err) != onceward.NotExecuted {
		t.Error("attested and stamped: a new key is safe")
	}
	_, err = w.a.Resolve(ctx, res)
	wantErr(t, err, onceward.ErrConflict)
}

func TestWithRefusesWhatIsNotPerRoute(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	_, err := w.a.With(func(c *onceward.Config) { c.Window = 1 })
	wantErr(t, err, onceward.ErrConfig)
	_, err = w.a.With(func(c *onceward.Config) { c.Window *= 2 })
	wantErr(t, err, onceward.ErrConfig)
}

func TestConfigNamesEveryFault(t *testing.T) {
	_, err := onceward.New(nil, onceward.Config{Lease: -1, Wait: -5, MaxReply: -1})
	wantErr(t, err, onceward.ErrConfig)
	for _, field := range []string{"Lease", "Wait", "MaxReply"} {
		if !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}

func TestGuaranteeNamesWhatWeakensIt(t *testing.T) {
	w := newWorld(t, onceward.Config{MaintainEvery: onceward.NoMaintenance})
	g := w.a.Guarantee()
	text := g.String()
	for _, want := range []string{"At most once", "24h", "forgotten when the process ends", "does not purge"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestPlainFunctions(t *testing.T) {
	w := newWorld(t, onceward.Config{})
	type receipt struct{ ID int }
	runs := 0
	charge := func(fail error) func(context.Context) (receipt, error) {
		return func(c context.Context) (receipt, error) {
			runs++
			if errors.Is(fail, errBusiness) {
				_ = onceward.NoEffect(c)
			}
			return receipt{ID: runs}, fail
		}
	}
	key := mint(t)
	_, err := onceward.Do(ctx, w.a, alice, key, "order 1", charge(errBusiness))
	wantErr(t, err, errBusiness)
	if onceward.FateOf(err) != onceward.NotExecuted {
		t.Error("freed: nothing took effect")
	}
	for range 2 {
		got, err := onceward.Do(ctx, w.a, alice, key, "order 1", charge(nil))
		if err != nil || got.ID != 2 {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	_, err = onceward.Do(ctx, w.a, alice, key, "order 2", charge(nil))
	wantErr(t, err, onceward.ErrKeyReused)

	key = mint(t)
	for range 2 {
		_, err = onceward.Do(ctx, w.a, alice, key, "order 3", charge(&onceward.Rejection{Code: "no-funds", Message: "balance is 3"}))
		var no *onceward.Rejection
		if !errors.As(err, &no) || no.Code != "no-funds" || runs != 3 {
			t.Fatalf("got %v after %d runs", err, runs)
		}
	}
}
