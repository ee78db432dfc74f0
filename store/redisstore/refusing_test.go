package redisstore

import (
	"fmt"
	"testing"

	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestClusterNodeLetsNobodyIn: one node of a Cluster does not let the user in, as a replica that is promoted and was not told of him, or is at maxclients. Its shards fail. Calls on those of the
// others do not look at all servers each time.
func TestClusterNodeLetsNobodyIn(t *testing.T) {
	t.Parallel() // it has a server of its own
	c := redistest.OwnCluster(t, 2, redistest.Config{})
	s := openAt(t, Config{AllowLossyFailover: true, Shards: 2, unsealed: true}, c.Nodes[0].Address())
	sick, well := tagOn(t, s, c, 1), tagOn(t, s, c, 0)
	claim := func(tag, name string) error {
		_, err := s.Claim(t.Context(), claimOf(inShard(s, tag, name, 0), tokenOf(drawn.Add(1))))
		return err
	}
	for _, tag := range s.tags {
		if err := claim(tag, "before"); err != nil {
			t.Fatal(err)
		}
	}
	talk(t, c.Nodes[1], "CONFIG", "SET", "requirepass", "p")
	if _, err := redistest.TalkAs(c.Nodes[1].Address(), "default", "p", "CLIENT", "KILL", "TYPE", "normal"); err != nil {
		t.Fatal(err)
	}
	looks := func() int { return count(t, c.Nodes[0], "commandstats", "cmdstat_info", "calls=") }
	before := looks()
	for n := range 10 {
		if err := claim(sick, fmt.Sprint("sick", n)); err == nil {
			t.Error("claimed at a server that does not let us in")
		}
		if err := claim(well, fmt.Sprint("well", n)); err != nil {
			t.Errorf("at one that does: %v", err)
		}
	}
	if n := looks() - before; n > 4 {
		t.Errorf("20 calls looked at the servers %d times", n)
	}
}
