package redisstore

import (
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestOneClockAhead: the clock of one node of a Cluster is a day ahead when a process starts. Its first purge, which knows of no jump, removes nothing of the other nodes' shards, and the
// process goes on admitting their keys.
func TestOneClockAhead(t *testing.T) {
	t.Parallel() // it has a server of its own
	server := redistest.OwnCluster(t, 1, redistest.Config{}).Nodes[0]
	config := Config{Shards: 3, unsealed: true, movable: true, bucket: time.Second, AllowLossyFailover: true} // the clocks are the shards'
	s := openAt(t, config, server.Address())
	now, err := s.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ahead, unstamped, stamped := inShard(s, s.tags[0], "a", 0), inShard(s, s.tags[1], "u", 0), inShard(s, s.tags[2], "s", now)
	for _, who := range []store.Identity{ahead, unstamped, stamped} {
		work(t, s, who, nil)
	}
	if err := s.client.Do(t.Context(), s.client.B().Incrby().Key(s.tags[0]+"x").Increment((25 * time.Hour).Milliseconds()).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	starting := openAt(t, config, server.Address())
	if r, err := starting.Purge(t.Context(), store.PurgeRequest{Limit: 100}); err != nil || r.Removed != 1 {
		t.Errorf("the first purge: %+v, %v", r, err)
	}
	for _, who := range []store.Identity{unstamped, stamped} {
		if a, err := starting.Claim(t.Context(), claimOf(who, tokenOf(drawn.Add(1)))); err != nil || a.Verdict != store.Replay {
			t.Errorf("a copy of what is done, where the clock is right: %v, %v", a.Verdict, err)
		}
	}
	if a, err := starting.Claim(t.Context(), claimOf(inShard(s, s.tags[1], "new", now+10), tokenOf(drawn.Add(1)))); err != nil || a.Verdict != store.Granted {
		t.Errorf("a new key, where the clock is right: %v, %v", a.Verdict, err)
	}
	st, err := starting.Stats(t.Context(), "")
	if err != nil || st.Now.Sub(now) < 24*time.Hour {
		t.Errorf("the store's time is the newest clock's, so that whoever compares it sees the jump: %v, %v", st.Now, err)
	}
}

// TestAlong: a clock takes those along that are at most an hour behind it, by way of others too.
func TestAlong(t *testing.T) {
	at := func(minutes ...int) (times []store.Time) {
		for _, m := range minutes {
			times = append(times, store.Time(m)*store.Time(time.Minute.Milliseconds()))
		}
		return times
	}
	sorted := at(0, 50, 110, 171, 5000)
	for i, want := range at(110, 110, 110, 171, 5000) {
		if got := along(sorted[i], sorted); got != want {
			t.Errorf("%d is taken along to %d, want %d", sorted[i], got, want)
		}
	}
}
