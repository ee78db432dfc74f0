package onceward_test

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// counted counts the calls that reach a store, which takes a millisecond for a claim.
type counted struct {
	store.Store
	calls atomic.Int64
}

func (c *counted) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	c.calls.Add(1)
	time.Sleep(time.Millisecond)
	return c.Store.Claim(ctx, q)
}

func (c *counted) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	c.calls.Add(1)
	return c.Store.Advance(ctx, q)
}

func (c *counted) Wait(ctx context.Context, who store.Identity, version uint64) error {
	c.calls.Add(1)
	return c.Store.Wait(ctx, who, version)
}

// crowd sends one operation a thousand times at once, to two servers, and returns what came and what it cost the store.
func crowd(t *testing.T, fn func(context.Context, onceward.Attempt) onceward.Outcome) (results []onceward.Result, errs []error, storeCalls int64) {
	t.Helper()
	const each = 500
	s := &counted{Store: memstore.New(memstore.Config{})}
	results, errs = make([]onceward.Result, 2*each), make([]error, 2*each)
	c := call(mint(t), "x")
	c.ReadOnly = true // as a transport says, which only sends the reply on
	var all sync.WaitGroup
	for server := range 2 {
		g, err := onceward.New(s, onceward.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close(ctx)
		for i := range each {
			all.Go(func() {
				at := server*each + i
				results[at], errs[at] = g.Do(ctx, c, fn)
			})
		}
	}
	all.Wait()
	return results, errs, s.calls.Load()
}

// fewCalls is far above what two servers need that poll for a second or two, and far below one call a waiter.
const fewCalls = 60

func TestAThousandWaitersShareOneExecutionAndOneReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		body := bytes.Repeat([]byte("x"), 512<<10)
		results, errs, calls := crowd(t, func(context.Context, onceward.Attempt) onceward.Outcome {
			runs.Add(1)
			time.Sleep(time.Second)
			return onceward.Save(onceward.Reply{Status: 201, Body: body})
		})
		copies := make(map[*byte]bool)
		for i, r := range results {
			if errs[i] != nil || !bytes.Equal(r.Reply.Body, body) {
				t.Fatalf("%d bytes, %v", len(r.Reply.Body), errs[i])
			}
			copies[&r.Reply.Body[0]] = true
		}
		if runs.Load() != 1 {
			t.Errorf("%d runs", runs.Load())
		}
		if calls > fewCalls {
			t.Errorf("a herd of %d calls on the store", calls)
		}
		if len(copies) > 2 {
			t.Errorf("%d copies of the reply in memory, want one a server", len(copies))
		}
	})
}

func TestAThousandWaitersThatGetNothingAreNoHerd(t *testing.T) {
	endings := []struct {
		name  string
		fn    func(context.Context, onceward.Attempt) onceward.Outcome
		after error
	}{
		{"still running", func(context.Context, onceward.Attempt) onceward.Outcome {
			time.Sleep(10 * time.Second)
			return onceward.Save(reply("late"))
		}, onceward.ErrInProgress},
		{"too large to keep", func(context.Context, onceward.Attempt) onceward.Outcome {
			time.Sleep(time.Second)
			return onceward.SaveNotKept(reply("large"))
		}, onceward.ErrReplyNotKept},
		{"doubt for one caller alone", func(context.Context, onceward.Attempt) onceward.Outcome {
			time.Sleep(time.Second)
			return onceward.Outcome{Ending: onceward.EndDoubt, Reply: reply("cut"), Alone: true}
		}, onceward.ErrOutcomeUnknown},
	}
	for _, c := range endings {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var runs atomic.Int64
				_, errs, calls := crowd(t, func(r context.Context, a onceward.Attempt) onceward.Outcome {
					runs.Add(1)
					return c.fn(r, a)
				})
				for _, err := range errs {
					if err != nil {
						wantErr(t, err, c.after)
					}
				}
				if runs.Load() != 1 {
					t.Errorf("%d runs", runs.Load())
				}
				if calls > fewCalls {
					t.Errorf("a herd of %d calls on the store", calls)
				}
			})
		})
	}
}
