package redisstore

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// await polls until the server shows it.
func await(t testing.TB, what string, shown func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !shown(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("in vain: " + what)
		}
	}
}

func scriptsRun(t *testing.T, s *redistest.Server) int {
	t.Helper()
	return count(t, s, "commandstats", "cmdstat_evalsha", "calls=") + count(t, s, "commandstats", "cmdstat_eval", "calls=")
}

// TestWaitersMakeNoHerd lets a thousand callers in two processes wait for one record. The server sees two subscriptions, and a handful of looks.
func TestWaitersMakeNoHerd(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	a, b := openAt(t, Config{Poll: time.Minute}, server.Address()), openAt(t, Config{Poll: time.Minute}, server.Address())
	who := identity("slow", 0)
	r, err := a.Claim(t.Context(), claimOf(who, tokenOf(1)))
	if err != nil {
		t.Fatal(err)
	}
	before := scriptsRun(t, server)
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			if err := []*Store{a, b}[i%2].Wait(t.Context(), who, r.Record.Version); err != nil {
				t.Errorf("Wait: %v", err)
			}
		})
	}
	waits := func(s *Store) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		w := s.records[who.ID]
		return w != nil && w.waiters == 500 && w.known
	}
	await(t, "all wait", func() bool { return waits(a) && waits(b) })
	await(t, "two subscriptions", func() bool { return talk(t, server, "PUBSUB", "NUMSUB", a.channel).([]any)[1] == int64(2) })
	began := time.Now()
	if _, err := b.Advance(t.Context(), completeOf(who, tokenOf(1), "paid")); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("woken after %v: by polling", took)
	}
	if n := scriptsRun(t, server) - before; n > 8 { // two looks each, the completion, and the scripts' first time
		t.Errorf("a thousand waiters cost %d scripts", n)
	}
	if n := talk(t, server, "PUBSUB", "NUMSUB", a.channel).([]any)[1]; n != int64(2) {
		t.Errorf("%v subscriptions, want one of each process", n)
	}
	if n := talk(t, server, "EXISTS", a.shard(who.ID)+"q"+string(who.ID[:])); n != int64(0) {
		t.Error("word that was left for the channel is still there")
	}
}

// TestWaitersPoll loses the news: they find the change all the same.
func TestWaitersPoll(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	s := openAt(t, Config{Poll: 20 * time.Millisecond}, server.Address())
	deaf := Config{Prefix: "onceward"}
	other := openAt(t, deaf, server.Address())
	who := identity("slow", 0)
	r, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan error, 1)
	go func() { woken <- s.Wait(t.Context(), who, r.Record.Version) }()
	flag := s.shard(who.ID) + "q" + string(who.ID[:])
	await(t, "it waits", func() bool { return talk(t, server, "EXISTS", flag) == int64(1) })
	talk(t, server, "SET", flag, "nobody's channel", "PX", "100000")
	if _, err := other.Advance(t.Context(), completeOf(who, tokenOf(1), "paid")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-woken:
		if err != nil {
			t.Errorf("Wait: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("nobody polls")
	}
}

// TestWaitersAreGone leaves nothing behind in the process.
func TestWaitersAreGone(t *testing.T) {
	s := shared(t, Config{})
	who := identity("slow", 0)
	r, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { _ = s.Wait(ctx, who, r.Record.Version) })
	}
	await(t, "they wait", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.records) == 1 })
	cancel()
	all.Wait()
	if n := len(s.records); n != 0 {
		t.Errorf("%d records are watched for nobody", n)
	}
	var _ store.Store = s
}

// TestClusterNews: one subscription at any node hears of records at every node.
func TestClusterNews(t *testing.T) {
	t.Parallel() // it has a server of its own
	cluster := redistest.OwnCluster(t, 3, redistest.Config{})
	c := Config{Shards: 6, Poll: time.Minute, AllowLossyFailover: true}
	a, b := openAt(t, c, cluster.Nodes[0].Address()), openAt(t, c, cluster.Nodes[1].Address())
	woken := make(chan error, 20)
	for n := range uint64(20) {
		who := identity(string(rune('a'+n)), 0)
		r, err := b.Claim(t.Context(), claimOf(who, tokenOf(n)))
		if err != nil {
			t.Fatal(err)
		}
		go func() { woken <- a.Wait(t.Context(), who, r.Record.Version) }()
	}
	await(t, "all wait", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		known := 0
		for _, w := range a.records {
			if w.known {
				known++
			}
		}
		return known == 20
	})
	await(t, "a subscription", func() bool {
		n := int64(0)
		for _, s := range cluster.Nodes {
			n += talk(t, s, "PUBSUB", "NUMSUB", a.channel).([]any)[1].(int64)
		}
		return n == 1
	})
	for n := range uint64(20) {
		if _, err := b.Advance(t.Context(), completeOf(identity(string(rune('a'+n)), 0), tokenOf(n), "paid")); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		select {
		case err := <-woken:
			if err != nil {
				t.Errorf("Wait: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("nobody was told")
		}
	}
}
