package redistest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// OwnReplicatedCluster starts a Cluster of n masters with a replica each. A replica takes over when [Cluster.Failover] says so, and not when its master is gone.
func OwnReplicatedCluster(t TB, n int, c Config) *Cluster {
	t.Helper()
	settings := map[string]string{"cluster-replica-no-failover": "yes", "cluster-node-timeout": "1000"} // they tell each other twice in that time
	maps.Copy(settings, c.Settings)
	c.Settings = settings
	cluster := &Cluster{}
	for range n {
		cluster.Nodes, cluster.Replicas = append(cluster.Nodes, ownNode(t, c)), append(cluster.Replicas, ownNode(t, c))
	}
	if err := cluster.join(t.Context()); err != nil {
		t.Fatalf("%v", err)
	}
	for i, r := range cluster.Replicas {
		if _, err := r.Talk("CLUSTER", "REPLICATE", id(cluster.Nodes[i])); err != nil {
			t.Fatalf("%v", err)
		}
	}
	for i := range cluster.Replicas {
		if err := cluster.replicated(t.Context(), i); err != nil {
			t.Fatalf("%v", err)
		}
	}
	return cluster
}

func id(s *Server) string {
	name, _ := s.Talk("CLUSTER", "MYID")
	text, _ := name.(string)
	return text
}

// replicated returns when the node's replica has what it has, and all servers know that it is its replica.
func (c *Cluster) replicated(ctx context.Context, node int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r := c.Replicas[node]
	if err := until(ctx, r.running, func() bool {
		info, _ := r.Talk("INFO", "replication")
		text, _ := info.(string)
		return strings.Contains(text, "role:slave") && strings.Contains(text, "master_link_status:up") && c.agree(node)
	}); err != nil {
		return fmt.Errorf("redistest: a replica does not come up: %w; its log:\n%s", err, r.Log())
	}
	return nil
}

// agree reports whether everybody takes the node for a master, and its replica for its.
func (c *Cluster) agree(node int) bool {
	master, replica := id(c.Nodes[node]), id(c.Replicas[node])
	for _, s := range slices.Concat(c.Nodes, c.Replicas) {
		said, _ := s.Talk("CLUSTER", "NODES")
		text, _ := said.(string)
		right := 0
		for _, line := range strings.Split(text, "\n") {
			words := strings.Fields(line)
			if len(words) > 3 && (words[0] == master && strings.Contains(words[2], "master") || words[0] == replica && words[3] == master) {
				right++
			}
		}
		if right != 2 {
			return false
		}
	}
	return true
}

// Failover puts a node's replica in its place, without loss: the node waits until the replica has everything. Then they have changed places, here too.
func (c *Cluster) Failover(ctx context.Context, node int) error {
	if err := c.replicated(ctx, node); err != nil {
		return err
	}
	r := c.Replicas[node]
	if _, err := r.Talk("CLUSTER", "FAILOVER"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := until(ctx, r.running, func() bool {
		info, _ := r.Talk("INFO", "replication")
		text, _ := info.(string)
		return strings.Contains(text, "role:master")
	}); err != nil {
		return fmt.Errorf("redistest: the replica is not promoted: %w; its log:\n%s\nits master's:\n%s", err, r.Log(), c.Nodes[node].Log())
	}
	c.Nodes[node], c.Replicas[node] = r, c.Nodes[node]
	return c.replicated(ctx, node)
}
