package redisstore

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// reach runs a script on several shards at once, apart from each other: one that does not answer holds up none of the others. It returns those that have answered, and the errors of the others.
// Take may be nil.
func (s *Store) reach(ctx context.Context, op string, shards []int, x script, args func(shard int) []string, take func(reply []rueidis.RedisMessage)) (up []int, err error) {
	replies, errs := make([][]rueidis.RedisMessage, len(shards)), make([]error, len(shards))
	var all sync.WaitGroup
	for i, shard := range shards {
		all.Go(func() { replies[i], errs[i] = s.on(ctx, op, shard, x, args(shard)...) })
	}
	all.Wait()
	told := map[string]bool{}
	for i, reply := range replies {
		if e := errs[i]; e != nil {
			if !told[e.Error()] { // many shards of one node say the same
				err = errors.Join(err, e)
			}
			told[e.Error()] = true
			continue
		}
		up = append(up, shards[i])
		if take != nil {
			take(reply)
		}
	}
	return up, err
}

// answering are the shards that answer in half of the time that a call has, the newest of their clocks, and the errors of the others.
func (s *Store) answering(ctx context.Context) (up []int, now store.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout/2)
	defer cancel()
	shards := make([]int, len(s.tags))
	for i := range shards {
		shards[i] = i
	}
	args := func(shard int) []string { return s.trailArgs(shard, 0, 0) }
	up, err = s.reach(ctx, "purge", shards, s.scripts.trail, args, func(reply []rueidis.RedisMessage) {
		at, _ := reply[0].AsBytes()
		now = max(now, read48(at))
	})
	return up, now, err
}
