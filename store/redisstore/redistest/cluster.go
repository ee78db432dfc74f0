package redistest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onceward/onceward/store/internal/throwaway"
)

// slots is the number of a Cluster's hash slots.
const slots = 16384

// Cluster are servers that share the slots.
type Cluster struct {
	Nodes    []*Server
	Replicas []*Server // of each node, if there are any
}

// OwnCluster starts a Cluster of n masters for one test. It is gone when the test ends.
func OwnCluster(t TB, n int, c Config) *Cluster {
	t.Helper()
	cluster := &Cluster{}
	for range n {
		cluster.Nodes = append(cluster.Nodes, ownNode(t, c))
	}
	if err := cluster.join(t.Context()); err != nil {
		t.Fatalf("%v", err)
	}
	return cluster
}

func ownNode(t TB, c Config) *Server {
	t.Helper()
	bus, err := throwaway.FreePort()
	if err != nil {
		t.Fatalf("%v", err)
	}
	settings := map[string]string{"cluster-enabled": "yes", "cluster-node-timeout": "3000", "cluster-port": strconv.Itoa(bus)}
	maps.Copy(settings, c.Settings)
	return Own(t, Config{Durable: c.Durable, Settings: settings, Lines: c.Lines})
}

func (c *Cluster) join(ctx context.Context) error {
	n := len(c.Nodes)
	for i, s := range c.Nodes {
		first, last := i*slots/n, (i+1)*slots/n-1
		if _, err := s.Talk("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last)); err != nil {
			return err
		}
		if _, err := s.Talk("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	return c.meet(ctx, slices.Concat(c.Nodes, c.Replicas))
}

// meet makes servers known to each other.
func (c *Cluster) meet(ctx context.Context, all []*Server) error {
	n := len(all)
	for _, s := range all[1:] {
		if _, err := s.Talk("CLUSTER", "MEET", "127.0.0.1", all[0].Port(), all[0].config.Settings["cluster-port"]); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, s := range all {
		if err := until(ctx, s.running, func() bool {
			info, err := s.Talk("CLUSTER", "INFO")
			text, _ := info.(string)
			return err == nil && strings.Contains(text, "cluster_state:ok") && strings.Contains(text, "cluster_known_nodes:"+strconv.Itoa(n))
		}); err != nil {
			return fmt.Errorf("redistest: the nodes do not find each other: %w", err)
		}
	}
	return nil
}

// Owner is the node that has the slot, by its number.
func (c *Cluster) Owner(slot int) (int, error) {
	for i, s := range c.Nodes {
		nodes, err := s.Talk("CLUSTER", "NODES")
		if err != nil {
			return 0, err
		}
		for _, line := range strings.Split(nodes.(string), "\n") {
			if words := strings.Fields(line); len(words) > 8 && strings.Contains(words[2], "myself") && has(words[8:], slot) {
				return i, nil
			}
		}
	}
	return 0, errors.New("redistest: nobody has the slot")
}

func has(ranges []string, slot int) bool {
	for _, r := range ranges {
		first, last, two := strings.Cut(r, "-")
		if !two {
			last = first
		}
		a, errA := strconv.Atoi(first)
		b, errB := strconv.Atoi(last)
		if errA == nil && errB == nil && a <= slot && slot <= b {
			return true
		}
	}
	return false
}

// migrate moves keys, for as long as it takes the target to be sure that the Cluster is whole: who stops half-way leaves the slot between two nodes.
func migrate(source *Server, command []string) (err error) {
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, err = source.Talk(command...); err == nil || !strings.Contains(err.Error(), "CLUSTERDOWN") || time.Now().After(deadline) {
			return err
		}
	}
}

// Move moves a slot from one node to another, as a resharding does: marked on both sides, its keys in small lots, then given to its new owner. Halfway is
// called when about half of the keys are moved, and again when all are and the slot is not yet given; nil: not.
func (c *Cluster) Move(slot, from, to int, halfway func() error) error {
	source, target, number := c.Nodes[from], c.Nodes[to], strconv.Itoa(slot)
	if _, err := target.Talk("CLUSTER", "SETSLOT", number, "IMPORTING", id(source)); err != nil {
		return err
	}
	if _, err := source.Talk("CLUSTER", "SETSLOT", number, "MIGRATING", id(target)); err != nil {
		return err
	}
	all, err := source.Talk("CLUSTER", "COUNTKEYSINSLOT", number)
	if err != nil {
		return err
	}
	for moved := int64(0); ; {
		keys, err := source.Talk("CLUSTER", "GETKEYSINSLOT", number, "10")
		if err != nil {
			return err
		}
		lot, _ := keys.([]any)
		if n, _ := all.(int64); halfway != nil && (len(lot) == 0 || moved <= n/2 && moved+10 > n/2) {
			if err := halfway(); err != nil {
				return err
			}
		}
		if len(lot) == 0 {
			break
		}
		command := []string{"MIGRATE", "127.0.0.1", target.Port(), "", "0", "5000", "KEYS"}
		for _, key := range lot {
			command = append(command, key.(string))
		}
		if err := migrate(source, command); err != nil {
			return err
		}
		moved += int64(len(lot))
	}
	for _, s := range []*Server{target, source} {
		if _, err := s.Talk("CLUSTER", "SETSLOT", number, "NODE", id(target)); err != nil {
			return err
		}
	}
	return nil
}
