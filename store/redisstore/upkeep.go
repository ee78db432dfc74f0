package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// batch is how many records one script removes: more would keep others waiting.
const batch = 250

// Seal implements [store.Upkeep]: every shard has a copy of the watermark. With [Config.WaitReplicas] so many replicas have each copy.
func (s *Store) Seal(ctx context.Context, service string, until store.Time) (store.Time, error) {
	if err := store.ValidateSeal(service, until); err != nil {
		return 0, err
	}
	if until > latest {
		return 0, fmt.Errorf("%w: until is later than this store can hold", store.ErrInvalid)
	}
	if err := s.ready(ctx); err != nil {
		return 0, failed("seal", err)
	}
	if s.config.Existing { // nobody has tried yet, and half a seal is a lost anchor
		if err := s.try(ctx); err != nil {
			return 0, err
		}
	}
	return s.raise(ctx, service, until)
}

func (s *Store) sealArgs(shard int, service string, until store.Time) []string {
	return []string{rueidis.BinaryString(append48(s.begin(nil, shard), until)), service}
}

func (s *Store) raise(ctx context.Context, service string, until store.Time) (inForce store.Time, err error) {
	args := func(shard int) []string { return s.sealArgs(shard, service, until) }
	take := func(_ int, reply []rueidis.RedisMessage) error {
		if len(reply) != 2 {
			return errApart
		}
		n, err := reply[1].AsInt64()
		inForce = max(inForce, store.Time(n))
		return err
	}
	if s.config.WaitReplicas == 0 {
		err = s.each(ctx, "seal", s.scripts.seal, args, take)
		return inForce, err
	}
	for shard := range s.tags { // one after another: each waits for its replicas
		reply, err := s.on(ctx, "seal", shard, s.scripts.seal, args(shard)...)
		if err != nil {
			return 0, err
		}
		if err := take(shard, reply); err != nil {
			return 0, failed("seal", err)
		}
	}
	return inForce, nil
}

// Purge implements [store.Upkeep], in scripts of some hundred records. Where a part of the shards does not answer it removes what it can in the others, and returns their error besides. Several maintainers at once take different records. A record may outstay its time by up to ten minutes,
// or by a 75th of a window that is longer than a day: done records stand in lists of that much time. If ctx ends, what was removed so far stays removed, and the result counts it.
func (s *Store) Purge(ctx context.Context, q store.PurgeRequest) (res store.PurgeResult, err error) {
	if err := q.Validate(); err != nil {
		return store.PurgeResult{}, err
	}
	if err := s.ready(ctx); err != nil {
		return store.PurgeResult{}, failed("purge", err)
	}
	up, now, failed := s.answering(ctx)
	if len(up) == 0 {
		return store.PurgeResult{}, failed
	}
	res.Now = now
	if off := res.Now.Sub(q.Expect); q.Expect != 0 && off.Abs() > q.Tolerance {
		return res, store.ErrClock
	}
	first := int(s.turn.Add(1)) % len(up) // a short limit must not starve the last shards
	for i := range up {
		err := s.purgeShard(ctx, up[(first+i)%len(up)], up, q.Limit, &res)
		failed = errors.Join(failed, err)
		if res.More || ctx.Err() != nil {
			break
		}
	}
	return res, failed
}

// purgeShard removes what is over in a shard, as far as the limit allows.
func (s *Store) purgeShard(ctx context.Context, shard int, up []int, limit int, res *store.PurgeResult) error {
	for {
		n, more, err := s.purgeSome(ctx, shard, up, res.Now, min(batch, limit-res.Removed))
		res.Removed += n
		if err != nil || !more {
			return err
		}
		if res.Removed == limit {
			res.More = true
			return nil
		}
	}
}

// leaving is what a script removes, or would.
type leaving struct {
	count  int
	newest map[string]store.Time // stamp, by service
}

// purgeSome removes records of one shard. It first looks which, and raises their watermarks in all shards that answer, so that they stay alike; the script that removes raises its own
// shard's once more, in case that somebody else has removed these, and it removes others.
func (s *Store) purgeSome(ctx context.Context, shard int, up []int, now store.Time, limit int) (n int, more bool, err error) {
	seen, err := s.purging(ctx, shard, now, limit+1, false)
	if err != nil || seen.count == 0 || limit == 0 {
		return 0, seen.count > 0, err
	}
	more = seen.count > limit
	if more {
		if seen, err = s.purging(ctx, shard, now, limit, false); err != nil {
			return 0, false, err
		}
	}
	if err := s.sealFor(ctx, up, seen); err != nil {
		return 0, false, err
	}
	gone, err := s.purging(ctx, shard, now, seen.count, true)
	if err != nil {
		return 0, false, err
	}
	for service, stamp := range gone.newest {
		if stamp > seen.newest[service] {
			return gone.count, more, s.sealFor(ctx, up, gone)
		}
	}
	return gone.count, more, nil
}

func (s *Store) sealFor(ctx context.Context, up []int, l leaving) error {
	for service, stamp := range l.newest {
		args := func(shard int) []string { return s.sealArgs(shard, service, stamp) }
		if _, err := s.reach(ctx, "purge", up, s.scripts.seal, args, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) purging(ctx context.Context, shard int, now store.Time, limit int, remove bool) (l leaving, err error) {
	b := append48(s.begin(nil, shard), now)
	b = append(binary.BigEndian.AppendUint32(b, uint32(limit)), flag(remove)) //nolint:gosec // at most batch + 1
	reply, err := s.on(ctx, "purge", shard, s.scripts.purge, rueidis.BinaryString(b))
	if err != nil {
		return l, err
	}
	if len(reply) < 2 {
		return l, failed("purge", errApart)
	}
	l = leaving{int(numbers(reply[1:2])[0]), map[string]store.Time{}}
	for rest := reply[2:]; len(rest) >= 2; rest = rest[2:] {
		service, err := rest[0].ToString()
		if err != nil {
			return l, failed("purge", err)
		}
		l.newest[service] = store.Time(numbers(rest[1:2])[0])
	}
	return l, nil
}

// clock is the server's time, or the newest of a Cluster's.
func (s *Store) clock(ctx context.Context) (now store.Time, err error) {
	err = s.each(ctx, "purge", s.scripts.trail, func(shard int) []string { return s.trailArgs(shard, 0, 0) }, func(_ int, reply []rueidis.RedisMessage) error {
		at, err := reply[0].AsBytes()
		now = max(now, read48(at))
		return err
	})
	return now, err
}
