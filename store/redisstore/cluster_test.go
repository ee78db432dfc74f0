package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestClusterStoretest holds the store to every clause, on a Cluster of three.
func TestClusterStoretest(t *testing.T) {
	t.Parallel() // it has a server of its own
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	c := redistest.OwnCluster(t, 3, redistest.Config{Settings: map[string]string{"appendonly": "yes"}})
	conform(t, func(t testing.TB, config Config) *Store { return openAt(t, config, c.Nodes[0].Address()) })
}

// TestClusterMoves works on a thousand keys while a shard's slot moves to another node: each operation takes effect once, and gets its reply.
func TestClusterMoves(t *testing.T) {
	t.Parallel() // it has a server of its own
	cluster := redistest.OwnCluster(t, 3, redistest.Config{})
	s := openAt(t, Config{Shards: 6, AllowLossyFailover: true, Timeout: 5 * time.Second}, cluster.Nodes[0].Address())
	old := identity("from before", 0)
	for s.shard(old.ID) != s.tags[0] {
		old = identity(old.Key+".", 0)
	}
	work(t, s, old, nil)

	const keys = 1200
	var effects [keys]atomic.Int64
	var next, finished, reads atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= 2*keys || ctx.Err() != nil {
					return
				}
				work(t, s, identity(fmt.Sprint("key ", n%keys), 0), &effects[n%keys]) // each twice, by two tokens
				finished.Add(1)
			}
		})
	}
	stop := make(chan struct{})
	workers.Go(func() { // a record that is there is read all the time, wherever it is
		for {
			select {
			case <-stop:
				return
			default:
			}
			a, err := s.Get(ctx, old)
			if err != nil || a.Verdict != store.Replay {
				t.Errorf("a record in the slot that moves: %v, %v", a.Verdict, err)
				return
			}
			reads.Add(1)
		}
	})

	slot := int(crc16(strings.Trim(s.tags[0], "{}"))) % slots
	from, err := cluster.Owner(slot)
	if err != nil {
		t.Fatal(err)
	}
	to := (from + 1) % 3
	progress := func() error { // both sides are used
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for was := reads.Load(); reads.Load() < was+20; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			if t.Failed() {
				return errors.New("no progress while the slot is between two nodes")
			}
		}
		return nil
	}
	for finished.Load() < keys/4 && ctx.Err() == nil {
		if err := progress(); err != nil {
			t.Fatal(err)
		}
	}
	asked, moved := count(t, cluster.Nodes[to], "commandstats", "cmdstat_asking", "calls="), count(t, cluster.Nodes[from], "errorstats", "errorstat_MOVED", "count=")
	if err := cluster.Move(slot, from, to, progress); err != nil {
		t.Fatal(err)
	}
	if err := progress(); err != nil {
		t.Fatal(err)
	}
	close(stop)
	workers.Wait()
	if n := count(t, cluster.Nodes[to], "commandstats", "cmdstat_asking", "calls=") - asked; n == 0 {
		t.Error("nobody was sent on by an ASK: the test shows nothing of it")
	}
	if n := count(t, cluster.Nodes[from], "errorstats", "errorstat_MOVED", "count=") - moved; n == 0 {
		t.Error("nobody was sent on by a MOVED: the test shows nothing of it")
	}
	for n := range effects {
		if got := effects[n].Load(); got != 1 {
			t.Errorf("key %d took effect %d times", n, got)
		}
	}
	if got, err := cluster.Owner(slot); err != nil || got != to {
		t.Errorf("the slot is at node %d, %v", got, err)
	}
	st, err := s.Stats(t.Context(), "")
	if err != nil || st.Done != keys+1 || st.Started+st.Claimed+st.Unknown != 0 {
		t.Errorf("after it: %+v, %v", st, err)
	}
}

var drawn atomic.Uint64

// work does an operation as a guard would: an error of the store is repeated with the same token, and an effect comes after the claim is granted.
func work(t *testing.T, s *Store, who store.Identity, effect *atomic.Int64) {
	t.Helper()
	token := tokenOf(1<<32 + drawn.Add(1))
	for try := 0; ; try++ {
		a, err := s.Claim(t.Context(), claimOf(who, token))
		switch {
		case err != nil && try < 20, err == nil && a.Verdict == store.InFlight && t.Context().Err() == nil && !t.Failed():
			continue
		case err != nil || a.Verdict != store.Granted && a.Verdict != store.Replay:
			t.Errorf("claim of %s: %v, %v", who.Key, a.Verdict, err)
			return
		case a.Verdict == store.Replay:
			return
		}
		break
	}
	if effect != nil {
		effect.Add(1)
	}
	for try := 0; ; try++ {
		a, err := s.Advance(t.Context(), completeOf(who, token, "paid"))
		if err == nil && a.Verdict == store.Applied {
			return
		}
		if try == 20 || err == nil {
			t.Errorf("complete of %s: %v, %v", who.Key, a.Verdict, err)
			return
		}
	}
}

// count reads a number out of INFO; zero if it is not there.
func count(t *testing.T, s *redistest.Server, section, name, field string) int {
	t.Helper()
	_, rest, _ := strings.Cut(parseInfo(talk(t, s, "INFO", section).(string))[name], field)
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	n, _ := strconv.Atoi(rest[:digits])
	return n
}

// TestClusterSpreadsItsShards: each of three nodes has its share.
func TestClusterSpreadsItsShards(t *testing.T) {
	t.Parallel() // it has a server of its own
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	for _, n := range []int{1, 3, 16, 1024} {
		var share [3]int
		for i, tag := range tagsOf("onceward", n) {
			slot := int(crc16(strings.Trim(tag, "{}"))) % slots
			if slot*n/slots != i {
				t.Errorf("%d shards: the slot of %s is %d", n, tag, slot)
			}
			share[slot*3/slots]++
		}
		for _, have := range share {
			if have < n/3 || have > n/3+1 {
				t.Errorf("%d shards are spread as %v", n, share)
			}
		}
	}
	s := redistest.OwnCluster(t, 1, redistest.Config{})
	if got := talk(t, s.Nodes[0], "CLUSTER", "KEYSLOT", "{123456789}"); got != int64(crc16("123456789")%slots) {
		t.Errorf("the server says slot %v, we say %d", got, crc16("123456789")%slots)
	}
}
