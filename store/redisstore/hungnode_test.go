package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// inShard is a name whose record stands in the shard with the tag.
func inShard(s *Store, tag, prefix string, stamp store.Time) store.Identity {
	for n := 0; ; n++ {
		if who := identity(fmt.Sprint(prefix, n), stamp); s.shard(who.ID) == tag {
			return who
		}
	}
}

// tagOn is a shard that stands on a node of a Cluster.
func tagOn(t *testing.T, s *Store, c *redistest.Cluster, node int) string {
	t.Helper()
	for _, tag := range s.tags {
		if n, err := c.Owner(slotOf(tag)); err != nil {
			t.Fatal(err)
		} else if n == node {
			return tag
		}
	}
	t.Fatalf("no shard is on node %d", node)
	return ""
}

func slotOf(tag string) int { return int(crc16(strings.Trim(tag, "{}"))) % slots }

// TestClusterNodeHangs: while one of three nodes neither answers nor hangs up, the shards of the others are served, and purged, also over a new connection, for which the store looks at the servers again.
func TestClusterNodeHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	c := redistest.OwnCluster(t, 3, redistest.Config{Settings: map[string]string{"cluster-node-timeout": "60000"}})
	const bound = 800 * time.Millisecond
	s := openAt(t, Config{AllowLossyFailover: true, Timeout: bound, Shards: 3, movable: true, unsealed: true}, c.Nodes[0].Address())
	sick := tagOn(t, s, c, 1)
	well := []string{tagOn(t, s, c, 0), tagOn(t, s, c, 2)}
	for _, tag := range s.tags {
		work(t, s, inShard(s, tag, "before", 0), nil)
	}
	talk(t, c.Nodes[1], "CLIENT", "KILL", "TYPE", "normal")
	if err := c.Nodes[1].Freeze(); err != nil {
		t.Fatal(err)
	}
	defer c.Nodes[1].Thaw() // Close would wait for it
	await(t, "the connection is seen to be cut", func() bool { return !s.connections.whole() })
	claim := func(tag, name string) error {
		_, err := s.Claim(t.Context(), claimOf(inShard(s, tag, name, 0), tokenOf(drawn.Add(1))))
		return err
	}
	served := func(when string) {
		t.Helper()
		for _, tag := range well {
			if err := claim(tag, when); err != nil {
				t.Errorf("a shard of a node that is well, %s: %v", when, err)
			}
		}
	}
	served("before somebody has called the hung one")
	if err := claim(sick, "hung"); err == nil {
		t.Error("claimed at a hung server")
	}
	if made, checked := s.connections.made.Load(), s.checked.Load(); made != checked {
		t.Error("a connection over which nobody has answered makes the next call look at all servers again, the hung one among them")
	}
	served("after it")

	if err := c.Nodes[1].Thaw(); err != nil {
		t.Fatal(err)
	}
	now, err := s.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range s.tags {
		work(t, s, inShard(s, tag, "between", now), nil)
	}
	move(t, s, 25*time.Hour)
	served("when all are well")
	if err := c.Nodes[1].Freeze(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if r, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 100}); err == nil || r.Removed != 2*len(well) || r.Now == 0 {
		t.Errorf("a purge: %+v, %v, want what is over in the shards of the nodes that are well, and the error of the other", r, err)
	}
	if took := time.Since(began); took > 4*bound {
		t.Errorf("the purge took %v", took)
	}
	talk(t, c.Nodes[0], "CLIENT", "KILL", "TYPE", "normal")
	for range 20 { // the first may still find the old connection
		if err = claim(well[0], "anew"); err == nil || errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	if err != nil {
		t.Errorf("over a new connection: %v", err)
	}
	served("after a new connection")
}
