package redisstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// facts are what servers say of themselves: of several, the worst.
type facts struct {
	cluster, sentinel, replicas bool
	append, always              bool
	unsure                      bool // whether writes are synced: CONFIG is disabled
}

// inspect looks at every server that may get a write, and refuses those that cannot serve.
func (s *Store) inspect(ctx context.Context) (facts, error) {
	all := facts{append: true, always: true}
	asked := 0
	var unreachable error
	for address, node := range s.client.Nodes() {
		info, err := node.Do(ctx, node.B().Info().Build()).ToString()
		if err != nil {
			unreachable = errors.Join(unreachable, fmt.Errorf("%s: %w", address, err)) // of a Cluster, or behind Sentinel, a part may be down
			continue
		}
		said := parseInfo(info)
		all.cluster = all.cluster || said["cluster_enabled"] == "1"
		if said["role"] != "master" {
			if len(s.client.Nodes()) == 1 {
				return all, fmt.Errorf("%w: %s", ErrReadOnly, address)
			}
			continue // a Cluster's client knows the replicas, and sends them nothing
		}
		asked++
		if policy := said["maxmemory_policy"]; policy != "noeviction" {
			return all, fmt.Errorf("%w: at %s it is %s", ErrEviction, address, policy)
		}
		all.replicas = all.replicas || said["connected_slaves"] != "0"
		all.append = all.append && said["aof_enabled"] == "1"
		if err := all.syncs(ctx, node); err != nil {
			return all, err
		}
	}
	if asked == 0 {
		return all, errors.Join(errors.New("no master answers"), unreachable)
	}
	return all, nil
}

// syncs asks whether each write is synced, which INFO does not tell.
func (f *facts) syncs(ctx context.Context, node rueidis.Client) error {
	got, err := node.Do(ctx, node.B().ConfigGet().Parameter("appendfsync").Build()).AsStrMap()
	if _, is := rueidis.IsRedisErr(err); is { // the command is disabled, or not allowed to this user
		f.unsure = true
		return nil
	}
	f.always = f.always && got["appendfsync"] == "always"
	return err
}

func parseInfo(text string) map[string]string {
	said := map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":"); ok {
			said[name] = value
		}
	}
	return said
}

func (f facts) traits() store.Traits {
	t := store.Traits{Name: "redis", Survives: store.SurvivesPowerLoss, Shared: true, Notifies: true}
	t.LossyFailover = f.cluster || f.sentinel || f.replicas
	switch {
	case !f.append:
		t.Survives = store.SurvivesNothing
		t.Caveats = append(t.Caveats, "appendonly is off: a restart of Redis loses claims and replies, and the service stops, or runs them again if the store is laid out anew.")
	case f.unsure:
		t.Survives = store.SurvivesCrash
		t.Caveats = append(t.Caveats, "CONFIG is disabled, so it is unknown whether appendfsync is always: a crash of the machine may forget what was acknowledged, and that may run again.")
	case !f.always:
		t.Survives = store.SurvivesCrash
		t.Caveats = append(t.Caveats, "appendfsync is not always: a crash of the machine may forget what was acknowledged in the last second, and that may run again.")
	}
	return t
}

// recheck looks at the servers again, once for all who wait for it. A connection that is made meanwhile leads to another look.
func (s *Store) recheck(ctx context.Context) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	select {
	case s.checking <- struct{}{}:
		defer func() { <-s.checking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	made := s.connections.made.Load()
	if made == s.checked.Load() {
		return nil
	}
	looked := make(chan error, 1)
	go func() { // the driver may be making a connection, and then does not look at ctx
		_, err := s.inspect(ctx)
		looked <- err
	}()
	select {
	case err := <-looked:
		if err == nil {
			s.checked.Store(made)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
