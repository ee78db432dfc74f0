package redisstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// leastOn makes a user with the least privileges on each server, under one name.
func leastOn(t *testing.T, rules string, servers ...*redistest.Server) {
	t.Helper()
	for _, s := range servers {
		talk(t, s, append([]string{"ACL", "SETUSER", "least", "on", ">pass"}, strings.Fields(rules)...)...)
	}
}

// refusedOn fails if a server has refused something to somebody.
func refusedOn(t *testing.T, servers ...*redistest.Server) {
	t.Helper()
	for _, s := range servers {
		if log := talk(t, s, "ACL", "LOG").([]any); len(log) != 0 {
			t.Errorf("refused at %s: %v", s.Address(), log)
		}
	}
}

// everything makes each call of a store once, on a client with the least privileges.
func everything(t *testing.T, s *Store) {
	t.Helper()
	for i, c := range calls {
		l := &life{T: t, Store: s, n: uint64(100 * i)}
		if c.name == "Claim, takeover" || c.name == "Wait" || c.name == "happened" || c.name == "did not happen" { // they move the clock, with keys that only a test has
			continue
		}
		if _, err := c.make(l)(t.Context()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for n := range uint64(60) { // in every shard, at every node
		who := identity(fmt.Sprint("all over ", n), 0)
		if a, err := s.Claim(t.Context(), claimOf(who, tokenOf(n))); err != nil || a.Verdict != store.Granted {
			t.Fatalf("claim: %v, %v", a.Verdict, err)
		}
		if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(n), "paid")); err != nil || a.Verdict != store.Applied {
			t.Fatalf("complete: %v, %v", a.Verdict, err)
		}
	}
	if _, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 10}); err != nil {
		t.Error(err)
	}
}

// TestGrantsInACluster: the least privileges are enough at three nodes, also while a slot moves.
func TestGrantsInACluster(t *testing.T) {
	t.Parallel() // it has a server of its own
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	cluster := redistest.OwnCluster(t, 3, redistest.Config{})
	leastOn(t, Grants(""), cluster.Nodes...)
	url := "redis+cluster://least:pass@" + cluster.Nodes[0].Address() + "?allow-lossy-failover=true"
	lives(t, url)
	s, err := Open(t.Context(), url, Config{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	everything(t, s)
	old := identity("moving", 0)
	for s.shard(old.ID) != s.tags[0] {
		old = identity(old.Key+".", 0)
	}
	work(t, s, old, nil)
	slot := int(crc16(strings.Trim(s.tags[0], "{}"))) % slots
	from, err := cluster.Owner(slot)
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	if err := cluster.Move(slot, from, (from+1)%3, func() error {
		a, err := s.Get(t.Context(), old)
		asked = asked || err == nil && a.Verdict == store.Replay
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if !asked {
		t.Error("nothing was read while the slot moved")
	}
	work(t, s, old, nil)
	refusedOn(t, cluster.Nodes...)
}

// TestGrantsBehindSentinel: the least privileges are enough at the master, at the sentinel, and at the replica after it was promoted.
func TestGrantsBehindSentinel(t *testing.T) {
	t.Parallel() // it has a server of its own
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	sentinel := redistest.OwnSentinel(t, redistest.Config{})
	leastOn(t, Grants(""), sentinel.Master, sentinel.Replica)
	leastOn(t, SentinelGrants(), sentinel.Watcher)
	url := "redis+sentinel://least:pass@" + sentinel.Watcher.Address() + "/" + redistest.MasterSet + "?allow-lossy-failover=true&sentinel-user=least&sentinel-password=pass"
	s, err := Open(t.Context(), url+"&wait-replicas=1", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	everything(t, s)
	if err := sentinel.Master.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := sentinel.Promoted(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.config.WaitReplicas = 0 // nobody is left
	if a, err := claimAgain(t, s, identity("all over 1", 0)); err != nil || a.Verdict != store.Replay {
		t.Errorf("after the failover: %v, %v", a.Verdict, err)
	}
	refusedOn(t, sentinel.Replica, sentinel.Watcher)
	if _, err := redistest.TalkAs(sentinel.Watcher.Address(), "least", "pass", "SENTINEL", "REMOVE", redistest.MasterSet); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("the sentinel's user changes what it watches: %v", err)
	}
}
