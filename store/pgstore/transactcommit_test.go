package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
)

// seeded returns a source of randomness, and prints how to have the same again.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	n := rand.Uint64()
	if text := os.Getenv("ONCEWARD_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ONCEWARD_SEED=%d", n)
	return rand.New(rand.NewPCG(n, n))
}

// clients send operations until each knows its end, over several transactors as if they were processes, and each operation from several clients
// at once. They keep what they were told.
type clients struct {
	b    *bank
	over []*Transactor
	runs atomic.Int64

	mu      sync.Mutex
	told    map[string]string // the reply of each operation
	paid    []string
	strange []string
}

// send carries one operation through to its end: sent again for as long as the answer says that it may.
func (c *clients) send(ctx context.Context, key onceward.Key, x *Transactor) {
	call := callOf(key)
	reject := key.Text()[0] == 'r'
	for {
		result, err := x.Transact(ctx, call, func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			run := c.runs.Add(1)
			if err := c.b.transfer(ctx, tx, key, 1); err != nil {
				return onceward.DoubtError(err)
			}
			if reject {
				return onceward.Reject(onceward.Reply{Status: 409, Body: fmt.Appendf(nil, "no, says run %d", run)})
			}
			return onceward.Save(onceward.Reply{Status: 201, Body: fmt.Appendf(nil, "yes, says run %d", run)})
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil && result.Standing == onceward.Saved {
			c.learn(key.Text(), string(result.Reply.Body), reject)
			return
		}
		switch {
		case errors.Is(err, onceward.ErrStoreUnavailable), errors.Is(err, onceward.ErrInProgress), errors.Is(err, onceward.ErrReplyNotSaved), errors.Is(err, onceward.ErrFreed):
			pause(3) // as a client does
		default:
			c.mu.Lock()
			c.strange = append(c.strange, fmt.Sprint(key.Text(), ": ", result, err))
			c.mu.Unlock()
			return
		}
	}
}

func (c *clients) learn(key, reply string, rejected bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch was, known := c.told[key]; {
	case !known:
		c.told[key] = reply
		if !rejected {
			c.paid = append(c.paid, key)
		}
	case was != reply:
		c.strange = append(c.strange, fmt.Sprintf("%s: told %q and %q", key, was, reply))
	}
}

// verify fails unless all clients know, agree with the records, and the balances are exact.
func (c *clients) verify(t *testing.T, operations int) {
	t.Helper()
	for _, s := range c.strange {
		t.Error(s)
	}
	if len(c.told) != operations {
		t.Errorf("the ends of %d operations are known, want %d", len(c.told), operations)
	}
	c.b.balance(t, c.paid...)
	if n := c.b.records(t, "state = 3"); n != operations {
		t.Errorf("%d finished records, want %d", n, operations)
	}
	if n := c.b.records(t, "state <> 3"); n != 0 {
		t.Errorf("%d open records", n)
	}
	rows, err := c.b.owner.Query(t.Context(), "SELECT key, reply FROM "+c.b.schema+".records")
	if err != nil {
		t.Fatal(err)
	}
	var key, saved []byte
	if _, err := pgx.ForEachRow(rows, []any{&key, &saved}, func() error {
		reply, err := onceward.DecodeReply(saved)
		if string(reply.Body) != c.told[string(key)] {
			t.Errorf("%s: the record says %q, the clients were told %q", key, reply.Body, c.told[string(key)])
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// all sends operations from workers, each operation twice, until enough says so.
func (c *clients) all(t *testing.T, prefix string, workers int, enough func() bool) (operations int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for !enough() && ctx.Err() == nil {
				n := next.Add(1)
				kind := "s"
				if n%8 == 0 {
					kind = "r"
				}
				key := keyOf(t, fmt.Sprint(kind, prefix, n))
				var both sync.WaitGroup
				for i := range 2 {
					both.Go(func() { c.send(ctx, key, c.over[(int(n)+i)%len(c.over)]) })
				}
				both.Wait()
			}
		})
	}
	all.Wait()
	return int(next.Load())
}

// The answer to a COMMIT is lost before the server has seen it, or after it has carried it out: the clients cannot tell, and need not.
func TestCommitCutOnTheWire(t *testing.T) {
	random := seeded(t)
	db := serving(t)
	least := int64(20)
	if os.Getenv("ONCEWARD_SOAK") != "" {
		least = 100
	}
	var total [2]int64
	for i, isolation := range isolations {
		if i == 1 {
			least /= 2 // the default level is the one that matters most
		}
		b := newBank(t, db)
		var mu sync.Mutex
		w, pool := newWire(t, db.pool, 8, func() fate {
			mu.Lock()
			defer mu.Unlock()
			return []fate{passes, cutBefore, cutAfter}[random.IntN(3)]
		})
		c := &clients{b: b, told: map[string]string{}}
		for range 2 {
			c.over = append(c.over, b.transactor(t, pool, TransactConfig{Isolation: isolation}))
		}
		enough := func() bool { return w.before.Load() >= least && w.after.Load() >= least }
		operations := c.all(t, string(isolation[:3]), 4, enough)
		c.verify(t, operations)
		t.Logf("%s: %d operations, %d runs: after=%d before=%d", isolation, operations, c.runs.Load(), w.after.Load(), w.before.Load())
		total[0], total[1] = total[0]+w.after.Load(), total[1]+w.before.Load()
		if !enough() {
			t.Error("too few cuts")
		}
	}
	if !t.Failed() {
		fmt.Printf("after=%d before=%d balance=exact\n", total[0], total[1])
	}
}

// A caller whose context ends during COMMIT gets the answer all the same, and so does everybody after it.
func TestCommitUnderACancelledContext(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	for _, f := range []fate{passes, cutAfter, cutBefore} {
		ctx, cancel := context.WithCancel(t.Context())
		var cuts atomic.Int64
		w, pool := newWire(t, db.pool, 2, func() fate {
			if cuts.Load() > 1 {
				return passes
			}
			return f
		})
		w.reached = func() {
			cuts.Add(1)
			cancel()
		}
		x := b.transactor(t, pool, TransactConfig{})
		key := keyOf(t, fmt.Sprint("k", f))
		result, err := x.Transact(ctx, callOf(key), b.pay(key))
		if err != nil || result.Replayed || string(result.Reply.Body) != "paid "+key.Text() || ctx.Err() == nil {
			t.Errorf("%v: %v, %v, %v", f, result, err, ctx.Err())
		}
		result, err = x.Transact(t.Context(), callOf(key), b.pay(key))
		if err != nil || !result.Replayed {
			t.Errorf("%v, again: %v, %v", f, result, err)
		}
	}
	b.balance(t, "k0", "k1", "k2")
}

// A COMMIT that the server answers with ROLLBACK has committed nothing, however well it went.
func TestCommitThatIsRolledBack(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	_, pool := newWire(t, db.pool, 1, func() fate { return becomes })
	x := b.transactor(t, pool, TransactConfig{Attempts: 1})
	key := keyOf(t, "k")
	if result, err := x.Transact(t.Context(), callOf(key), b.pay(key)); err == nil {
		t.Errorf("a COMMIT that became a ROLLBACK: %v", result)
	}
	b.balance(t)
	if result, err := b.transactor(t, db.pool, TransactConfig{}).Transact(t.Context(), callOf(key), b.pay(key)); err != nil || result.Replayed {
		t.Errorf("then: %v, %v", result, err)
	}
	b.balance(t, "k")
}
