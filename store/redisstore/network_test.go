package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestBadNetwork lets two guards work on one Redis over a network that loses commands and replies, cuts connections and is slow: each operation takes effect once, and all
// of its callers get the same reply.
func TestBadNetwork(t *testing.T) {
	seed := seeded(t)
	server := redistest.Own(t, redistest.Config{})
	const operations = 60
	guards, proxies := make([]*onceward.Guard, 2), make([]*proxy, 2)
	for i := range guards {
		proxies[i] = newProxy(t, server.Address())
		s := openAt(t, Config{Timeout: 300 * time.Millisecond, Poll: 50 * time.Millisecond}, proxies[i].address())
		g, err := onceward.New(s, onceward.Config{StoreTimeout: 300 * time.Millisecond, Wait: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		guards[i] = g
	}
	for i, p := range proxies {
		p.harm(rand.New(rand.NewPCG(seed, uint64(i))))
	}
	var effects [operations]atomic.Int64
	var replies [operations]sync.Map
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for w := range 12 {
		all.Go(func() {
			for i := w / 3; i < operations; i += 4 { // three callers for each operation
				call := onceward.Call{
					Scope: onceward.Scope{Service: "orders", Principal: "alice"}, Key: key(t, fmt.Sprint("key-", i)),
					Fingerprint: onceward.BytesFingerprint("text/plain", []byte("pay 5")),
				}
				for {
					got, err := guards[w%2].Do(ctx, call, func(context.Context, onceward.Attempt) onceward.Outcome {
						return onceward.Save(onceward.Reply{Status: 201, Body: fmt.Append(nil, "effect ", effects[i].Add(1))})
					})
					if err == nil {
						replies[i].Store(string(got.Reply.Body), true)
						break
					}
					if ctx.Err() != nil || !errors.Is(err, onceward.ErrStoreUnavailable) && !errors.Is(err, onceward.ErrInProgress) && !errors.Is(err, onceward.ErrReplyNotSaved) {
						t.Errorf("operation %d: %v", i, err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	for i := range operations {
		n := 0
		replies[i].Range(func(any, any) bool { n++; return true })
		if got := effects[i].Load(); got != 1 || n != 1 {
			t.Errorf("operation %d took effect %d times, and was answered in %d ways", i, got, n)
		}
	}
	harmed := 0
	for _, p := range proxies {
		harmed += p.times()
		p.harm(nil)
	}
	if harmed == 0 {
		t.Error("the network was not harmed: the test shows nothing")
	}
	t.Logf("the network lost or held up %d messages", harmed)
}
