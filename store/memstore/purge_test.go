package memstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

func TestPurgeStopsAtItsLimit(t *testing.T) {
	b := open(t, Config{})
	for i := range 1000 {
		b.finish(key(fmt.Sprint(i), 0), []byte("reply"))
	}
	b.clock.pass(window + guard - time.Millisecond)
	if res := b.purge(1000); res.Removed != 0 || res.More {
		t.Fatalf("one millisecond before the time: %+v", res)
	}
	b.clock.pass(time.Millisecond)
	for _, want := range []store.PurgeResult{{Removed: 300, More: true}, {Removed: 300, More: true}, {Removed: 400}, {Removed: 0}} {
		res := b.purge(max(want.Removed, 1))
		if res.Removed != want.Removed || res.More != want.More {
			t.Fatalf("purge: %+v, want %+v", res, want)
		}
	}
	if st := b.stats(""); st.Done != 0 || st.Bytes != 0 {
		t.Errorf("after purging all: %+v", st)
	}
}

func TestPurgeRaisesTheWatermarkOfItsServiceOnly(t *testing.T) {
	b := open(t, Config{})
	newest := b.now()
	for i := range 50 {
		b.finish(key(fmt.Sprint(i), newest-store.Time(i)), []byte("reply"))
	}
	other := key("other", newest+5)
	other.Service = "refunds"
	b.claim(other, store.Granted)
	b.clock.pass(window + guard)
	b.purge(1000)
	if got := b.stats("orders").Watermark; got != newest {
		t.Errorf("watermark of orders: %d, want %d", got, newest)
	}
	if got := b.stats("refunds").Watermark; got != 0 {
		t.Errorf("watermark of refunds: %d, want 0", got)
	}
	for i := range shardCount { // every shard refuses, also those that lost no record
		q := claimOf(key(fmt.Sprint("late", i), newest), b.token())
		q.Window = 100 * window
		if a, err := b.Claim(context.Background(), q); err != nil || a.Verdict != store.Expired {
			t.Fatalf("claim below the watermark: %v, %v", a.Verdict, err)
		}
	}
}

// A stamped key runs once, however claims, completes and purges meet. Window and guard are zero, so records are due at once and the
// watermark alone keeps late copies out.
func TestPurgedStampedKeyNeverRunsAgain(t *testing.T) {
	b := open(t, Config{})
	const keys, copies = 300, 4
	var runs [keys]int
	var mu sync.Mutex
	stop := make(chan struct{})
	var purging, claiming sync.WaitGroup
	purging.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := b.Purge(context.Background(), store.PurgeRequest{Limit: 7}); err != nil {
					b.Error(err)
					return
				}
			}
		}
	})
	for range copies {
		claiming.Go(func() {
			for i := range keys {
				who := key(fmt.Sprint(i), b.now().Add(time.Duration(i-keys)*time.Second))
				q := claimOf(who, b.token())
				a, err := b.Claim(context.Background(), q)
				if err != nil {
					b.Error(err)
					return
				}
				if a.Verdict != store.Granted {
					continue
				}
				mu.Lock()
				runs[i]++
				mu.Unlock()
				c := completeOf(who, q.Token, []byte("reply"))
				c.Window, c.Guard = 0, 0
				if _, err := b.Advance(context.Background(), c); err != nil {
					b.Error(err)
				}
			}
		})
	}
	claiming.Wait()
	close(stop)
	purging.Wait()
	once := 0
	for i, n := range runs {
		if n > 1 {
			t.Errorf("key %d ran %d times", i, n)
		}
		once += n
	}
	if once < keys/2 {
		t.Errorf("only %d of %d keys ran: the test sees nothing", once, keys)
	}
}

func TestPurgeEndsWithItsContextOrTheStore(t *testing.T) {
	b := open(t, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Purge(ctx, store.PurgeRequest{Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("purge with an ended context: %v", err)
	}
}

// Log only: how much memory a record of 1 KB takes, and how long the longest call waits for a purge.
func TestMeasureMemoryAndPause(t *testing.T) {
	if testing.Short() {
		t.Skip("measures, asserts little")
	}
	const n = 20_000
	b := open(t, Config{MaxBytes: NoLimit})
	before := heapBytes()
	for i := range n {
		b.finish(key(fmt.Sprintf("once_01jq%022d", i), b.now()), make([]byte, 1024))
	}
	perRecord := float64(heapBytes()-before) / n
	counted := float64(b.stats("").Bytes) / n
	b.clock.pass(window + guard)
	var took time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		began := time.Now()
		b.purge(n)
		took = time.Since(began)
	}()
	var longest time.Duration
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
			began := time.Now()
			_, _ = b.Get(context.Background(), key("some key", 0))
			longest = max(longest, time.Since(began))
		}
	}
	t.Logf("%.0f bytes of heap per record, %.0f counted; purge of %d took %v; longest Get meanwhile %v (with the scheduler's pauses)",
		perRecord, counted, n, took, longest)
	if left := heapBytes() - before; left > n*1024/10 {
		t.Errorf("%d bytes of heap are left after everything was purged", left)
	}
}

func heapBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
