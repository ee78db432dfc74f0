package redisstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// within bounds a call, unless its context does.
func (s *Store) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if until, ok := ctx.Deadline(); ok && time.Until(until) <= s.config.Timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.config.Timeout)
}

// build is the script by its name, or whole if the server does not have it.
func (s *Store) build(x script, whole bool, keys []string, args ...string) rueidis.Completed {
	if whole {
		return s.client.B().Eval().Script(x.text).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
	}
	return s.client.B().Evalsha().Sha1(x.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}

// run runs a script on one shard, which is tried before.
func (s *Store) run(ctx context.Context, x script, keys []string, args ...string) rueidis.RedisResult {
	if err := s.first(ctx, keys[0]); err != nil {
		return rueidis.NewErrorResult(err)
	}
	return s.runBy(ctx, s.send, x, keys, args...)
}

// sending is how a command is sent.
type sending func(context.Context, rueidis.Completed) rueidis.RedisResult

func (s *Store) runBy(ctx context.Context, send sending, x script, keys []string, args ...string) rueidis.RedisResult {
	for moving := (moving{}); ; {
		got := send(ctx, s.build(x, false, keys, args...))
		if isRedis(got.Error(), "NOSCRIPT") { // the cache was flushed, or this server was promoted
			got = send(ctx, s.build(x, true, keys, args...))
		}
		if !isRedis(got.Error(), "TRYAGAIN") || !moving.pause(ctx) {
			return got
		}
	}
}

// moving waits while a Cluster moves a slot to another node. A script on it is refused before it has begun, unless all its keys are on one side.
type moving struct{ wait time.Duration }

func (m *moving) pause(ctx context.Context) bool {
	m.wait = min(max(2*m.wait, time.Millisecond), 50*time.Millisecond)
	timer := time.NewTimer(jittered(m.wait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func isRedis(err error, prefix string) bool {
	if err == nil {
		return false
	}
	r, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(r.Error(), prefix)
}

// each runs a script of shards on all of them, in one flight to each server, and hands over the replies in the shards' order.
func (s *Store) each(ctx context.Context, op string, x script, args func(shard int) []string, take func(shard int, reply []rueidis.RedisMessage) error) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	commands := make([]rueidis.Completed, len(s.tags))
	for i, tag := range s.tags {
		if err := s.first(ctx, tag); err != nil {
			return failed(op, err)
		}
		commands[i] = s.build(x, false, s.shardKeys(tag), args(i)...)
	}
	all := s.bounded(ctx, func() []rueidis.RedisResult { return s.client.DoMulti(ctx, commands...) })
	if len(all) == 0 {
		return failed(op, ctx.Err())
	}
	for i, got := range all {
		if isRedis(got.Error(), "NOSCRIPT") || isRedis(got.Error(), "TRYAGAIN") {
			got = s.run(ctx, x, s.shardKeys(s.tags[i]), args(i)...)
		}
		reply, err := s.shardReply(op, i, got)
		if err == nil {
			err = take(i, reply)
		}
		if err != nil {
			return failed(op, err)
		}
	}
	return nil
}

// on runs a script of shards on one of them.
func (s *Store) on(ctx context.Context, op string, shard int, x script, args ...string) ([]rueidis.RedisMessage, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	reply, err := s.shardReply(op, shard, s.run(ctx, x, s.shardKeys(s.tags[shard]), args...))
	return reply, failed(op, err)
}

// shardReply reads a reply that begins with the server's time.
func (s *Store) shardReply(op string, shard int, got rueidis.RedisResult) ([]rueidis.RedisMessage, error) {
	reply, err := got.ToArray()
	if err != nil {
		return nil, err
	}
	if len(reply) == 0 {
		return nil, fmt.Errorf("%s: %w", op, errApart)
	}
	at, err := reply[0].AsBytes()
	switch {
	case err != nil:
		return nil, err
	case len(at) != 6:
		return nil, fmt.Errorf("%w (%s)", ErrForgotten, lostHint)
	}
	s.see(shard, read48(at))
	return reply, nil
}

// begin is how the arguments of every script begin: the time last seen of its shard, and by what its shards know the store.
func (s *Store) begin(b []byte, shard int) []byte {
	return append(append48(b, s.newest(shard)), s.name...)
}
