package memstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward/store"
)

func TestOneOfManyIsGranted(t *testing.T) {
	b := open(t, Config{})
	for round := range 20 {
		who := key(fmt.Sprint(round), 0)
		var granted, inFlight atomic.Int64
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				a, err := b.Claim(context.Background(), claimOf(who, b.token()))
				switch {
				case err != nil:
					b.Error(err)
				case a.Verdict == store.Granted:
					granted.Add(1)
				case a.Verdict == store.InFlight:
					inFlight.Add(1)
				}
			})
		}
		all.Wait()
		if granted.Load() != 1 || inFlight.Load() != 99 {
			t.Fatalf("%d granted, %d in flight; want 1 and 99", granted.Load(), inFlight.Load())
		}
	}
}

func TestThousandWaitersWakeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Config{Clock: time.Now})
		who := key("waited for", 0)
		token := b.claim(who, store.Granted)
		var woken atomic.Int64
		for range 1000 {
			go func() {
				if err := b.Wait(context.Background(), who, store.FirstVersion(token)); err == nil {
					woken.Add(1)
				}
			}()
		}
		synctest.Wait()
		extend := store.AdvanceRequest{Identity: who, Token: token, Op: store.OpExtend, Lease: lease}
		if _, err := b.Advance(context.Background(), extend); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if woken.Load() != 0 {
			t.Fatalf("a heartbeat woke %d", woken.Load())
		}
		if n := b.waiting(); n != 1 {
			t.Fatalf("%d channels for one record", n)
		}
		b.complete(who, token, []byte("reply"))
		synctest.Wait()
		if woken.Load() != 1000 || b.waiting() != 0 {
			t.Fatalf("%d of 1000 woken, %d channels left", woken.Load(), b.waiting())
		}
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Config{Clock: time.Now})
		who := key("waited for", 0)
		token := b.claim(who, store.Granted)
		for _, c := range []struct {
			name string
			end  func(cancel func())
			want error
		}{
			{"context", func(cancel func()) { cancel() }, context.Canceled},
			{"release", func(func()) { b.release(who, token, 0) }, nil},
			{"absent", func(func()) {}, nil},
			{"purge", func(func()) { time.Sleep(window + guard); b.purge(1) }, nil},
			{"close", func(func()) { _ = b.Close() }, store.ErrClosed},
		} {
			version := store.FirstVersion(token)
			switch c.name {
			case "purge":
				version = store.FirstVersion(b.finish(who, []byte("reply"))) + 1
			case "close":
				version = store.FirstVersion(b.claim(who, store.Granted))
			}
			ctx, cancel := context.WithCancel(context.Background())
			got := make(chan error, 1)
			go func() { got <- b.Wait(ctx, who, version) }()
			synctest.Wait()
			c.end(cancel)
			synctest.Wait()
			select {
			case err := <-got:
				if !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v", c.name, err, c.want)
				}
			default:
				t.Fatalf("%s does not wake", c.name)
			}
			if n := b.waiting(); n != 0 {
				t.Errorf("%s: %d channels left", c.name, n)
			}
			cancel()
		}
	})
}

// waiting counts the channels that the store holds for waiters.
func (b *bench) waiting() int {
	n := 0
	for i := range b.shards {
		b.shards[i].mu.Lock()
		n += len(b.shards[i].waits)
		b.shards[i].mu.Unlock()
	}
	return n
}

// Everything at once, on few keys; then the counters must equal a recount.
func TestCountersEqualARecount(t *testing.T) {
	b := open(t, Config{MaxRecords: 40, MaxBytes: 64 << 10})
	const seed = 3
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(g)))
			for range 1500 {
				if err := b.anything(rnd); err != nil && !errors.Is(err, store.ErrFull) {
					b.Errorf("seed %d: %v", seed, err)
					return
				}
			}
		})
	}
	all.Wait()
	for _, service := range []string{"orders", "refunds"} {
		if got, want := b.stats(service), b.recount(service); got != want {
			t.Errorf("seed %d, %s:\n got %+v\nwant %+v", seed, service, got, want)
		}
	}
	orders, refunds, sum := b.recount("orders"), b.recount("refunds"), b.stats("")
	var marks int64
	for i := range b.shards {
		marks += int64(len(b.shards[i].marks.until))
	}
	if want := orders.Bytes + refunds.Bytes + marks*markOverhead; sum.Bytes != want {
		t.Errorf("seed %d: %d bytes in all, want %d", seed, sum.Bytes, want)
	}
	want := orders.Claimed + orders.Started + orders.Unknown + orders.Done + refunds.Claimed + refunds.Started + refunds.Unknown + refunds.Done
	if got := b.room.records.Load(); got != want || got > 40 {
		t.Errorf("seed %d: %d records counted, want %d and at most 40", seed, got, want)
	}
}

// anything makes one call at random; the token is one of few per key, so that owners meet their own records again.
func (b *bench) anything(rnd *rand.Rand) error {
	ctx := context.Background()
	who := key(fmt.Sprint(rnd.IntN(60)), 0)
	if who.ID[0]%2 == 0 {
		who.Service = "refunds"
	}
	token := store.Token{1, byte(rnd.IntN(3))}
	var err error
	switch rnd.IntN(12) {
	case 0, 1, 2, 3:
		q := claimOf(who, token)
		q.Start, q.Policy, q.Reserve = rnd.IntN(2) == 0, store.Policy(rnd.IntN(2)), rnd.IntN(2000)
		_, err = b.Claim(ctx, q)
	case 4, 5:
		_, err = b.Advance(ctx, completeOf(who, token, make([]byte, rnd.IntN(4000))))
	case 6:
		_, err = b.Advance(ctx, completeOf(who, token, nil))
	case 7:
		until := b.now().Add(time.Duration(rnd.IntN(3)) * time.Minute)
		_, err = b.Advance(ctx, store.AdvanceRequest{Identity: who, Token: token, Op: store.OpRelease, ValidUntil: until})
	case 8:
		_, err = b.Decide(ctx, store.DecideRequest{Identity: who, Token: token, Decision: store.Cancel, Window: window})
	case 9:
		var seen store.Answer
		if seen, err = b.Get(ctx, who); err == nil {
			q := store.DecideRequest{Identity: who, Token: token, Decision: store.Happened, Version: seen.Record.Version, Actor: "op", Reason: "log"}
			_, err = b.Decide(ctx, q)
		}
	case 10:
		_, err = b.Purge(ctx, store.PurgeRequest{Limit: 5})
	case 11:
		b.clock.pass(time.Duration(rnd.IntN(60)) * time.Second)
	}
	return err
}

// recount reads every record of the service.
func (b *bench) recount(service string) store.Stats {
	st := store.Stats{Now: b.Store.clock.now(), MaxRecords: b.room.maxRecords, MaxBytes: b.room.maxBytes}
	for i := range b.shards {
		sh := &b.shards[i]
		for _, o := range sh.open {
			r := o.record
			if r.Service != service {
				continue
			}
			st.Bytes += openSize(r.Identity, o.reserve)
			switch {
			case r.Unknown(st.Now):
				st.Unknown++
				if st.OldestUnknown == 0 || r.Lease < st.OldestUnknown {
					st.OldestUnknown = r.Lease
				}
			case r.State == store.Started:
				st.Started++
			default:
				st.Claimed++
			}
		}
		for _, d := range sh.done.due {
			if e := sh.done.at(d.what); sh.numbered[e.service].name == service {
				st.Done++
				st.Bytes += doneSize(len(e.record))
			}
		}
	}
	return st
}
