package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
)

// crowd is the clients of a crash.
type crowd struct {
	crash  *crash
	url    string
	client *oncehttp.Client
	open   atomic.Int64 // operations that are being sent

	mu      sync.Mutex
	wishes  map[int]*wish // by transfer
	settled int
	replays int
	differ  int // replies that are not the first one
}

// wish is a transfer under its key, and what its client knows.
type wish struct {
	transfer transfer
	hold     string
	op       *oncehttp.Operation
	reply    string // the first one
	fate     onceward.Fate
	stuck    bool // the proxy has said that nobody can tell
}

const (
	longestPause = 300 * time.Millisecond // that a client makes at the word of the proxy; what takes longer is put off
	againPause   = 100 * time.Millisecond
)

func newCrowd(c *crash, url string) (*crowd, error) {
	budget, err := retry.NewBudget(retry.BudgetConfig{Capacity: MaxRequests * 100, Clock: c.Clock}) // it protects a server that is down for long
	if err != nil {
		return nil, err
	}
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{
		Transport: newTransport(),
		Policy: retry.Policy{
			Attempts: attempts, AttemptTimeout: attemptTimeout,
			Base: backoffBase, OverloadBase: backoffBase, Cap: backoffCap, PollInterval: backoffCap, RetryAfterCap: longestPause,
		},
		Budget: budget, Clock: c.Clock,
	})
	return &crowd{crash: c, url: url, client: client, wishes: map[int]*wish{}}, err
}

// share lets the clients share n tasks out among them.
func (c *crowd) share(ctx context.Context, n int, task func(context.Context, int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var work sync.WaitGroup
	for range c.crash.Clients {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := task(ctx, i); err != nil {
					stop(err)
				}
			}
		})
	}
	work.Wait()
	return context.Cause(ctx)
}

// work makes each transfer, or puts it off.
func (c *crowd) work(ctx context.Context, orders []transfer) error {
	return c.share(ctx, len(orders), func(ctx context.Context, i int) error {
		err := c.transfer(ctx, orders[i], "")
		c.crash.ends <- struct{}{}
		return err
	})
}

// transfer sends it until its fate is known, or at least one send was in vain and may have arrived: then it is put off. What certainly took no effect
// is sent under a new key, as the client promises that this is safe.
func (c *crowd) transfer(ctx context.Context, t transfer, hold string) error {
	for {
		w := &wish{transfer: t, hold: hold}
		if err := c.prepare(ctx, w); err != nil {
			return err
		}
		if err := c.send(ctx, w); err != nil || w.fate != onceward.NotExecuted {
			return err
		}
		if err := c.crash.Clock.Sleep(ctx, againPause); err != nil {
			return err
		}
	}
}

func (c *crowd) prepare(ctx context.Context, w *wish) error {
	req, err := newRequest(ctx, c.url, w.transfer)
	if err != nil {
		return err
	}
	if w.hold != "" {
		req.Header.Set(headerHold, w.hold)
	}
	w.op, err = c.client.Prepare(req)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wishes[w.transfer.number] = w
	return err
}

// send sends once everything is up, and notes what the client then knows.
func (c *crowd) send(ctx context.Context, w *wish) error {
	c.crash.gate.RLock()
	c.open.Add(1)
	c.crash.gate.RUnlock()
	defer c.open.Add(-1)
	resp, err := c.client.Send(ctx, w.op)
	fate := onceward.FateOf(err)
	if ctx.Err() != nil && fate == onceward.Unknown {
		return ctx.Err()
	}
	text, replayed := "", false
	if resp != nil {
		defer resp.Body.Close()
		body, readErr := io.ReadAll(resp.Body)
		if readErr != nil {
			return readErr // the client has read it whole
		}
		if err == nil {
			text = string(body)
		}
		replayed = resp.Header.Get(oncehttp.HeaderReplayed) == "true"
	}
	c.crash.told.add(testimony{w.transfer.number, w.op.Key().Text(), fate})
	if err == nil && resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s was answered with %s: %s", w.transfer.name(), resp.Status, text)
	}
	c.note(w, fate, errors.Is(err, onceward.ErrOutcomeUnknown), text, replayed)
	return nil
}

func (c *crowd) note(w *wish, fate onceward.Fate, stuck bool, reply string, replayed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if replayed {
		c.replays++
	}
	if w.reply != "" { // it was answered once: that answer is for ever
		if reply != w.reply || fate != onceward.Executed {
			c.differ++
		}
		return
	}
	w.fate, w.stuck = fate, stuck
	if fate == onceward.Executed {
		w.reply = reply
		c.settled++
		c.crash.Progress(Progress{Run: "crash", Settled: c.settled, Wanted: len(c.crash.orders)})
	}
}

// all returns the wishes of which the client knows this.
func (c *crowd) all(fate onceward.Fate) (found []*wish) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.crash.orders {
		if w := c.wishes[t.number]; w != nil && w.fate == fate {
			found = append(found, w)
		}
	}
	return found
}

// finish sends what was put off, until there is a reply or the proxy says that nobody can tell. All that is unknown is asked for once more.
func (c *crowd) finish(ctx context.Context) error {
	for open := c.all(onceward.Unknown); len(open) > 0; {
		err := c.share(ctx, len(open), func(ctx context.Context, i int) error {
			if err := c.send(ctx, open[i]); err != nil || open[i].fate != onceward.NotExecuted {
				return err
			}
			return c.transfer(ctx, open[i].transfer, "")
		})
		if err != nil {
			return err
		}
		open = slices.DeleteFunc(c.all(onceward.Unknown), func(w *wish) bool { return w.stuck })
		if len(open) > 0 { // a killed proxy's lease is not over
			if err := c.crash.Clock.Sleep(ctx, againPause); err != nil {
				return err
			}
		}
	}
	return nil
}
