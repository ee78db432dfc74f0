package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"
)

// send sends one command, and with WaitReplicas waits on the same connection until so many replicas have what it wrote. A step that too few have is done
// all the same: the error leaves it open, as a lost answer does.
func (s *Store) send(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	if s.config.WaitReplicas == 0 && s.connections.whole() { // no more than has to be, on the way that all take
		return s.client.Do(ctx, command)
	}
	return s.sendBounded(ctx, command, s.sendOne)
}

// sendBriefly is send without waiting for replicas, for what does not stay.
func (s *Store) sendBriefly(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	return s.sendBounded(ctx, command, s.client.Do)
}

func (s *Store) sendBounded(ctx context.Context, command rueidis.Completed, do sending) rueidis.RedisResult {
	got := s.bounded(ctx, func() []rueidis.RedisResult { return []rueidis.RedisResult{do(ctx, command)} })
	if len(got) == 0 {
		return rueidis.NewErrorResult(ctx.Err())
	}
	return got[0]
}

func (s *Store) sendOne(ctx context.Context, command rueidis.Completed) (got rueidis.RedisResult) {
	if s.config.WaitReplicas == 0 {
		return s.client.Do(ctx, command)
	}
	err := s.client.Dedicated(func(c rueidis.DedicatedClient) error {
		wait := c.B().Wait().Numreplicas(int64(s.config.WaitReplicas)).Timeout(max(s.config.Timeout.Milliseconds()/2, 1)).Build()
		both := c.DoMulti(ctx, command, wait)
		got = both[0]
		n, err := both[1].AsInt64()
		if got.Error() == nil && err == nil && n < int64(s.config.WaitReplicas) {
			err = fmt.Errorf("%w: %d of %d", ErrTooFewReplicas, n, s.config.WaitReplicas)
		}
		return err
	})
	if err != nil {
		return rueidis.NewErrorResult(err)
	}
	return got
}
