// Package retained measures what a million records cost the memory store: heap while they stand, and others' waiting while they expire.
package retained

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

const (
	replySize = 1024
	window    = time.Hour
	skew      = 5 * time.Minute
)

// Cost is what was measured.
type Cost struct {
	Records   int
	PerRecord float64       // bytes of heap
	Expiry    time.Duration // of all records, in Purge
	Longest   time.Duration // that a caller waited for an answer while they expired; its share of the processors included
	Typical   time.Duration // the median of the same
}

// Measure fills a store with n records that have a reply of 1 KB each, and lets them expire.
func Measure(n int) (Cost, error) {
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	s := memstore.New(memstore.Config{MaxRecords: memstore.NoLimit, MaxBytes: memstore.NoLimit, Clock: func() time.Time { return time.Unix(0, clock.Load()) }})
	defer s.Close()
	empty := heap()
	for i := range n {
		if err := fill(s, i); err != nil {
			return Cost{}, err
		}
	}
	cost := Cost{Records: n, PerRecord: float64(heap()-empty) / float64(n)}
	clock.Add(int64(window + skew + time.Minute))
	return cost, cost.expire(s)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// numbered is an identity as an HTTP service has them, but for the hash.
func numbered(i int) store.Identity {
	who := store.Identity{Service: "orders", Principal: "alice", Key: fmt.Sprintf("once_01jq0123456789abcde%08d", i)}
	binary.LittleEndian.PutUint64(who.ID[:], uint64(i+1)*0x9E3779B97F4A7C15)
	return who
}

var reply = make([]byte, replySize)

func fill(s *memstore.Store, i int) error {
	ctx, who := context.Background(), numbered(i)
	token := store.Token{1, 2, 3}
	a, err := s.Claim(ctx, store.ClaimRequest{
		Identity: who, Token: token, Fingerprints: []store.Fingerprint{{Version: 1, Sum: who.ID}}, Start: true, Lease: time.Minute, Window: window, Guard: skew, Reserve: 16 << 10,
	})
	if err != nil || a.Verdict != store.Granted {
		return fmt.Errorf("claim %d: %v, %w", i, a.Verdict, err)
	}
	a, err = s.Advance(ctx, store.AdvanceRequest{Identity: who, Token: token, Op: store.OpComplete, End: store.EndReply, Reply: reply, Window: window, Guard: skew})
	if err != nil || a.Verdict != store.Applied {
		return fmt.Errorf("complete %d: %v, %w", i, a.Verdict, err)
	}
	return nil
}

// expire purges everything as a guard does, while somebody asks for records without a pause.
func (c *Cost) expire(s *memstore.Store) error {
	ctx := context.Background()
	stop, waits := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var all []time.Duration
		for i := 0; ; i++ {
			began := time.Now()
			_, _ = s.Get(ctx, numbered(i%c.Records))
			all = append(all, time.Since(began))
			select {
			case <-stop:
				waits <- all
				return
			default:
			}
		}
	}()
	began, removed := time.Now(), 0
	for more := true; more; {
		r, err := s.Purge(ctx, store.PurgeRequest{Limit: 1000})
		if err != nil {
			return err
		}
		removed, more = removed+r.Removed, r.More
	}
	c.Expiry = time.Since(began)
	close(stop)
	all := <-waits
	if removed != c.Records {
		return fmt.Errorf("%d of %d records expired", removed, c.Records)
	}
	slices.Sort(all)
	c.Longest, c.Typical = all[len(all)-1], all[len(all)/2]
	return nil
}
