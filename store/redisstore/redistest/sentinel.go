package redistest

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Sentinel is a master, a replica of it, and a sentinel that promotes the replica when the master is gone.
type Sentinel struct {
	Master, Replica *Server
	Watcher         *Server
}

// MasterSet is the name by which a [Sentinel] knows its master.
const MasterSet = "table"

// OwnSentinel starts the three for one test. They are gone when the test ends.
func OwnSentinel(t TB, c Config) *Sentinel {
	t.Helper()
	s := &Sentinel{Master: Own(t, c), Replica: Own(t, c)}
	if _, err := s.Replica.Talk("REPLICAOF", "127.0.0.1", s.Master.Port()); err != nil {
		t.Fatalf("%v", err)
	}
	s.Watcher = Own(t, Config{sentinel: true, Lines: []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s 1", MasterSet, s.Master.Port()),
		fmt.Sprintf("sentinel down-after-milliseconds %s 300", MasterSet),
		fmt.Sprintf("sentinel failover-timeout %s 5000", MasterSet),
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := until(ctx, s.Watcher.running, func() bool {
		replicas, err := s.Watcher.Talk("SENTINEL", "REPLICAS", MasterSet)
		known, _ := replicas.([]any)
		info, _ := s.Master.Talk("INFO", "replication")
		text, _ := info.(string)
		return err == nil && len(known) == 1 && strings.Contains(text, "state=online")
	}); err != nil {
		t.Fatalf("redistest: the replica does not come up: %v; its log:\n%s", err, s.Watcher.Log())
	}
	return s
}

// Promoted returns when the replica takes writes.
func (s *Sentinel) Promoted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := until(ctx, s.Replica.running, func() bool {
		info, _ := s.Replica.Talk("INFO", "replication")
		text, _ := info.(string)
		return strings.Contains(text, "role:master")
	}); err != nil {
		return fmt.Errorf("redistest: the replica is not promoted: %w; the sentinel's log:\n%s", err, s.Watcher.Log())
	}
	return nil
}
