package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// untried are the shards whose server has not shown yet that it lets the user do all that the scripts do. A privilege that is missing would otherwise show in the middle of a step, which
// Redis does not undo. It is tried when the store is opened or, where a node of a Cluster does not answer then, before the first step there: others may be served meanwhile.
type untried struct {
	left   atomic.Int64
	shards []trying
}

type trying struct {
	due  atomic.Bool
	turn chan struct{} // has a place for whoever tries: a thousand callers that waited for the server try it once
}

func (u *untried) init(shards int) {
	u.shards = make([]trying, shards)
	for i := range u.shards {
		u.shards[i].turn = make(chan struct{}, 1)
	}
}

func (u *untried) add(shard int) {
	u.shards[shard].due.Store(true)
	u.left.Add(1)
}

// probe asks every shard whether its anchor is there, and tries it. Some may not answer, as long as one does. Who only looks changes nothing, and is not asked for more privileges than that.
func (s *Store) probe(ctx context.Context) error {
	s.untried.init(len(s.tags))
	one := s.tryOne
	if s.config.Existing {
		one = s.lookOne
	}
	errs := make([]error, len(s.tags))
	var all sync.WaitGroup
	for shard := range s.tags {
		all.Go(func() { errs[shard] = one(ctx, shard) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil && !mayPass(err) {
			return err
		}
	}
	if !slices.Contains(errs, nil) {
		return errs[0]
	}
	for shard, err := range errs {
		if err != nil && !s.config.Existing {
			s.untried.add(shard)
		}
	}
	return nil
}

// mayPass says of an error that its shard may be served later: its node does not answer, or says that it cannot serve now.
func mayPass(err error) bool {
	for _, final := range []error{ErrForgotten, ErrPrivileges, ErrReadOnly, errApart} {
		if errors.Is(err, final) {
			return false
		}
	}
	said := (*rueidis.RedisError)(nil)
	if !errors.As(err, &said) {
		return true
	}
	code, _, _ := strings.Cut(said.Error(), " ")
	return slices.Contains([]string{"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "TRYAGAIN"}, code)
}

// first tries a shard that is not tried yet, by one of its keys, and looks at the servers: what the traits say of them all was said without this one.
func (s *Store) first(ctx context.Context, key string) error {
	if s.untried.left.Load() == 0 {
		return nil
	}
	shard := slices.Index(s.tags, key[:strings.IndexByte(key, '}')+1])
	x := &s.untried.shards[shard]
	if !x.due.Load() {
		return nil
	}
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !x.due.Load() {
		return nil
	}
	if err := s.tryOne(ctx, shard); err != nil {
		return err
	}
	f, err := s.inspect(ctx)
	if err != nil {
		return err
	}
	if t := f.traits(s.config); t.Survives < s.traits.Survives || t.MaxReply < s.traits.MaxReply {
		return errWeaker
	}
	x.due.Store(false)
	s.untried.left.Add(-1)
	return nil
}

func (s *Store) tryOne(ctx context.Context, shard int) error {
	reply, err := s.brief(ctx, "probe", shard, s.scripts.probe, s.probeArgs(shard))
	if err != nil {
		return err
	}
	return refusedIn(reply)
}

func (s *Store) lookOne(ctx context.Context, shard int) error {
	_, err := s.brief(ctx, "look", shard, s.scripts.trail, s.trailArgs(shard, 0, 0))
	return err
}

// brief runs a script on a shard that is not tried yet, and waits for no replica.
func (s *Store) brief(ctx context.Context, op string, shard int, x script, args []string) ([]rueidis.RedisMessage, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	return s.shardReply(op, shard, s.runBy(ctx, s.sendBriefly, x, s.shardKeys(s.tags[shard]), args...))
}

// try tries every shard, in one flight to each server.
func (s *Store) try(ctx context.Context) error {
	return s.each(ctx, "probe", s.scripts.probe, s.probeArgs, func(_ int, reply []rueidis.RedisMessage) error { return refusedIn(reply) })
}

func (s *Store) probeArgs(shard int) []string {
	return []string{rueidis.BinaryString(s.begin(nil, shard)), s.channel}
}

func refusedIn(reply []rueidis.RedisMessage) error {
	refused := make([]string, 0, len(reply)-1)
	for _, m := range reply[1:] {
		text, err := m.ToString()
		if err != nil {
			return err
		}
		refused = append(refused, text)
	}
	if len(refused) > 0 {
		return fmt.Errorf("%w: %s (README.md has the least that it needs)", ErrPrivileges, strings.Join(refused, "; "))
	}
	return nil
}
