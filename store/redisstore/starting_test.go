package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestClusterNodeDownAtTheStart: a process starts while one of three nodes hangs, also if it is the one that has the plan of the store, or is down, where the store has been laid out before. It serves
// the shards of the others, and those of that node when it is there again.
func TestClusterNodeDownAtTheStart(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	t.Parallel() // it has a server of its own
	c := redistest.OwnCluster(t, 3, redistest.Config{Settings: map[string]string{"cluster-node-timeout": "60000", "cluster-require-full-coverage": "no"}})
	config := Config{AllowLossyFailover: true, Timeout: 500 * time.Millisecond, Shards: 3}
	first := openAt(t, config, c.Nodes[0].Address())
	planned, err := c.Owner(slotOf(DefaultPrefix + ":layout"))
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for node := range c.Nodes { // while one is down nobody can ask it
		tags = append(tags, tagOn(t, first, c, node))
	}
	served := func(s *Store, node int, how string) {
		t.Helper()
		await(t, how, func() bool {
			n := drawn.Add(1)
			_, err := s.Claim(t.Context(), claimOf(inShard(s, tags[node], fmt.Sprint("claim", n), 0), tokenOf(n)))
			return err == nil
		})
	}
	starts := func(down int, how string, config Config) *Store {
		t.Helper()
		s, err := opened(t, rueidis.ClientOption{InitAddress: []string{c.Nodes[(down+1)%3].Address()}}, config)
		if err != nil {
			t.Fatalf("a process that starts while a node %s: %v", how, err)
		}
		if s.name != first.name || len(s.tags) != 3 {
			t.Errorf("it goes by the layout %+v, and the store's is %+v", s.layout, first.layout)
		}
		for node := range c.Nodes {
			if node != down {
				served(s, node, "a shard of a node that is well is served, while another "+how)
			}
		}
		return s
	}

	down := (planned + 1) % 3
	if err := c.Nodes[planned].Freeze(); err != nil {
		t.Fatal(err)
	}
	s := starts(planned, "hangs", config)
	other := config
	other.Shards = 5
	if _, err := New(t.Context(), rueidis.ClientOption{InitAddress: []string{c.Nodes[down].Address()}}, other); err == nil || !strings.Contains(err.Error(), "is Shards what it was") {
		t.Errorf("a start without the plan, by another number of shards: %v", err)
	}
	if err := c.Nodes[planned].Thaw(); err != nil {
		t.Fatal(err)
	}
	served(s, planned, "a node that goes on is served")
	await(t, "what concerns all shards is served", func() bool { _, err := s.Stats(t.Context(), ""); return err == nil })
	if n := s.untried.left.Load(); n != 0 {
		t.Errorf("all nodes have answered, and %d shards are not tried", n)
	}
	if err := c.Nodes[down].Kill(); err != nil {
		t.Fatal(err)
	}
	starts(down, "is down", config)
	config.Existing = true
	starts(down, "is down, and it only looks", config)
}

// TestUntriedShardIsTriedFirst: before the first step on a shard whose server did not answer when the store was opened it is tried whether the user may do all there, and whether the server evicts, or keeps
// less than the others: none of these shows in the middle of a step.
func TestUntriedShardIsTriedFirst(t *testing.T) {
	server := redistest.Own(t, redistest.Config{Durable: true})
	may := func(rules ...string) {
		t.Helper()
		talk(t, server, append([]string{"ACL", "SETUSER", "user", "reset", "on", ">p"}, append(strings.Fields(Grants("")), rules...)...)...)
	}
	may()
	s, err := New(t.Context(), rueidis.ClientOption{InitAddress: []string{server.Address()}, Username: "user", Password: "p"}, Config{Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	who := inShard(s, s.tags[1], "first", 0)
	claim := func() error {
		_, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
		return err
	}
	s.untried.add(1)
	keys := talk(t, server, "DBSIZE")
	for _, x := range []struct {
		want            error
		without         string
		set, wrong, may string
	}{
		{want: ErrPrivileges, without: "-zadd"},
		{want: ErrEviction, set: "maxmemory-policy", wrong: "allkeys-lru", may: "noeviction"},
		{want: errWeaker, set: "proto-max-bulk-len", wrong: "1048576", may: "536870912"},
		{want: errWeaker, set: "appendfsync", wrong: "no", may: "always"},
	} {
		if x.set != "" {
			talk(t, server, "CONFIG", "SET", x.set, x.wrong)
		} else {
			may(x.without)
		}
		for range 2 {
			if err := claim(); !errors.Is(err, x.want) {
				t.Errorf("a claim, want %v: %v", x.want, err)
			}
			if _, err := s.Stats(t.Context(), ""); !errors.Is(err, x.want) {
				t.Errorf("counts, want %v: %v", x.want, err)
			}
			if _, err := s.Seal(t.Context(), "orders", 500); !errors.Is(err, x.want) {
				t.Errorf("a seal, want %v: %v", x.want, err)
			}
		}
		if n := talk(t, server, "DBSIZE"); n != keys {
			t.Errorf("there were %v keys, and are %v after what was refused: %v", keys, n, talk(t, server, "KEYS", "*"))
		}
		if may(); x.set != "" {
			talk(t, server, "CONFIG", "SET", x.set, x.may)
		}
	}
	looks := func() int { return count(t, server, "commandstats", "cmdstat_info", "calls=") }
	before := looks()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := claim(); err != nil {
				t.Errorf("one of many: %v", err)
			}
		})
	}
	if all.Wait(); looks()-before > 2 {
		t.Errorf("50 callers looked at the server %d times", looks()-before)
	}
	if err := claim(); err != nil || s.untried.left.Load() != 0 {
		t.Errorf("where all is right: %v, and %d shards are untried", err, s.untried.left.Load())
	}
}
