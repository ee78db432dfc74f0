package redisstore

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// facts are what servers say of themselves: of several, the worst.
type facts struct {
	cluster, sentinel, replicas bool
	append, always              bool
	unsure                      bool // whether writes are synced: CONFIG is disabled
	bulk                        int  // bytes: the longest string
}

// inspect looks at every server that may get a write, and refuses those that cannot serve.
func (s *Store) inspect(ctx context.Context) (facts, error) {
	all := facts{append: true, always: true, bulk: defaultBulk}
	asked := 0
	var unreachable error
	nodes := s.client.Nodes()
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout/2) // what does not come in half of the time that a call has is left
	defer cancel()
	answers := askAll(ctx, nodes)
	for range nodes {
		var a said
		select {
		case a = <-answers:
		case <-ctx.Done():
			return all.of(asked, errors.Join(unreachable, errors.New("a server does not answer")))
		}
		if a.err != nil {
			unreachable = errors.Join(unreachable, fmt.Errorf("%s: %w", a.address, a.err)) // of a Cluster, or behind Sentinel, a part may be down
			continue
		}
		all.cluster = all.cluster || a.info["cluster_enabled"] == "1"
		if a.info["role"] != "master" {
			if len(nodes) == 1 {
				return all, fmt.Errorf("%w: %s", ErrReadOnly, a.address)
			}
			continue // a Cluster's client knows the replicas, and sends them nothing
		}
		asked++
		if policy := a.info["maxmemory_policy"]; policy != "noeviction" {
			return all, fmt.Errorf("%w: at %s it is %s", ErrEviction, a.address, policy)
		}
		all.replicas = all.replicas || a.info["connected_slaves"] != "0"
		all.append = all.append && a.info["aof_enabled"] == "1"
		all.always, all.unsure, all.bulk = all.always && (a.unsure || a.always), all.unsure || a.unsure, min(all.bulk, a.bulk)
	}
	return all.of(asked, unreachable)
}

// of is what the masters that answered say, if there are any.
func (f facts) of(masters int, unreachable error) (facts, error) {
	if masters == 0 {
		return f, errors.Join(errors.New("no master answers"), unreachable)
	}
	return f, nil
}

// said is what one server says of itself.
type said struct {
	address        string
	info           map[string]string
	always, unsure bool // each write is synced; CONFIG is disabled
	bulk           int
	err            error
}

// askAll asks all servers at once, so that one that hangs does not hold up the others.
func askAll(ctx context.Context, nodes map[string]rueidis.Client) <-chan said {
	answers := make(chan said, len(nodes))
	for address, node := range nodes {
		go func() { // the driver may be making a connection, and then does not look at ctx
			a := said{address: address}
			var text string
			if text, a.err = node.Do(ctx, node.B().Info().Build()).ToString(); a.err == nil {
				a.info = parseInfo(text)
				a.err = a.settings(ctx, node)
			}
			answers <- a
		}()
	}
	return answers
}

// defaultBulk is the server's.
const defaultBulk = 512 << 20

// settings asks what INFO does not tell: whether each write is synced, and how long a string may be.
func (a *said) settings(ctx context.Context, node rueidis.Client) error {
	got, err := node.Do(ctx, node.B().ConfigGet().Parameter("appendfsync", "no-appendfsync-on-rewrite", "proto-max-bulk-len").Build()).AsStrMap()
	a.bulk = defaultBulk
	if _, is := rueidis.IsRedisErr(err); is { // the command is disabled, or not allowed to this user
		a.unsure = true
		return nil
	}
	a.always = got["appendfsync"] == "always" && got["no-appendfsync-on-rewrite"] != "yes"
	if n, not := strconv.Atoi(got["proto-max-bulk-len"]); not == nil {
		a.bulk = n
	}
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

func (f facts) traits(c Config) store.Traits {
	t := store.Traits{Name: "redis", Survives: store.SurvivesPowerLoss, Shared: true, Notifies: true}
	t.MaxReply = min(c.MaxReply, f.bulk-mostHead)
	t.LossyFailover = f.cluster || f.sentinel || f.replicas
	switch {
	case !f.append:
		t.Survives = store.SurvivesNothing
		t.Caveats = append(t.Caveats, "appendonly is off: a restart of Redis forgets claims and replies. Where it comes back with an old snapshot, what it has forgotten may run again; where it comes back empty, the service stops.")
	case f.unsure:
		t.Survives = store.SurvivesCrash
		t.Caveats = append(t.Caveats, "CONFIG is disabled, so it is unknown whether appendfsync is always: a crash of the machine may forget what was acknowledged, and that may run again.")
	case !f.always:
		t.Survives = store.SurvivesCrash
		t.Caveats = append(t.Caveats, "appendfsync is not always, or no-appendfsync-on-rewrite is on: a crash of the machine may forget what was acknowledged in the last second, or while the log was rewritten, and that may run again.")
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
	_, err := s.inspect(ctx)
	if err == nil {
		s.checked.Store(made)
	}
	return cmp.Or(err, ctx.Err())
}
