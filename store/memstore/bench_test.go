package memstore

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// numbered is an identity without the cost of a hash.
func numbered(n uint64) store.Identity {
	who := store.Identity{Service: "orders", Principal: "alice", Key: "once_01jq0123456789abcdefghjkmn"}
	binary.LittleEndian.PutUint64(who.ID[:], n+1)
	return who
}

// Claim and complete in a store that purges as much as it takes in: 20,000 records of 1 KB.
func BenchmarkClaimComplete(b *testing.B) {
	var clock fakeClock
	s := New(Config{Clock: clock.now})
	defer s.Close()
	ctx, reply := context.Background(), make([]byte, 1024)
	q := claimOf(numbered(0), store.Token{1})
	step := (window + guard) / 20_000
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		clock.pass(step)
		q.Identity = numbered(n)
		if a, err := s.Claim(ctx, q); err != nil || a.Verdict != store.Granted {
			b.Fatal(a.Verdict, err)
		}
		if a, err := s.Advance(ctx, completeOf(q.Identity, q.Token, reply)); err != nil || a.Verdict != store.Applied {
			b.Fatal(a.Verdict, err)
		}
		if n%1000 == 0 {
			if _, err := s.Purge(ctx, store.PurgeRequest{Limit: 2000}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkReplay(b *testing.B) {
	s := New(Config{})
	defer s.Close()
	ctx := context.Background()
	for n := range uint64(1000) {
		q := claimOf(numbered(n), store.Token{1})
		_, _ = s.Claim(ctx, q)
		_, _ = s.Advance(ctx, completeOf(q.Identity, q.Token, make([]byte, 1024)))
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		q := claimOf(numbered(0), store.Token{2})
		for n := uint64(0); pb.Next(); n++ {
			q.Identity = numbered(n % 1000)
			if a, err := s.Claim(ctx, q); err != nil || a.Verdict != store.Replay {
				b.Fatal(a.Verdict, err)
			}
		}
	})
}

// How long a shard is locked at the most while many records expire: what a caller may have to wait for beside its turn on a processor. The same work is done
// several times, and of each hold the shortest counts: what takes a processor away, or stops the process, does not meet the same hold each time.
func BenchmarkExpireLongestHold(b *testing.B) {
	const records = 1_000_000
	var clock fakeClock
	var holds []time.Duration // the shortest of each
	for b.Loop() {
		b.StopTimer()
		s := New(Config{Clock: clock.now, MaxBytes: NoLimit, MaxRecords: NoLimit})
		s.seed = holdSeed // the same records in the same shards
		ctx, reply := context.Background(), make([]byte, 1024)
		for n := range uint64(records) {
			q := claimOf(numbered(n), store.Token{1})
			_, _ = s.Claim(ctx, q)
			_, _ = s.Advance(ctx, completeOf(q.Identity, q.Token, reply))
		}
		clock.pass(window + guard)
		now, removed, n := s.clock.now(), 0, 0
		hold := func(locked func()) {
			began := time.Now()
			locked()
			took := time.Since(began)
			if n == len(holds) {
				holds = append(holds, took)
			}
			holds[n] = min(holds[n], took)
			n++
		}
		runtime.GC()
		b.StartTimer()
		for i := 0; removed < records; i++ { // what purgeRound does, its two holds of a lock apart
			var refs []ref
			sh := &s.shards[i%shardCount]
			hold(func() { refs = sh.takeDue(now, batch, map[string]store.Time{}) })
			hold(func() { s.remove(leaving{sh, refs}) })
			removed += len(refs)
		}
		b.StopTimer()
		_ = s.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(slices.Max(holds).Nanoseconds()), "longest-hold-ns")
}

var holdSeed = maphash.MakeSeed()
