package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// recent remembers which operations this process has seen to be done, some of the last: half a megabyte. A client whose reply was lost mostly comes back soon, and
// often to the same process. It is a hint: who is in it is looked for before the script runs, and nothing is answered from it.
type recent struct{ ids [1 << 16]atomic.Uint64 }

func (r *recent) place(id store.ID) (*atomic.Uint64, uint64) {
	return &r.ids[binary.BigEndian.Uint16(id[8:])], binary.BigEndian.Uint64(id[:]) | 1
}

func (r *recent) add(id store.ID) {
	at, short := r.place(id)
	at.Store(short)
}

func (r *recent) has(id store.ID) bool {
	at, short := r.place(id)
	return at.Load() == short
}

func (r *recent) drop(id store.ID) {
	if at, short := r.place(id); at.Load() == short {
		at.Store(0)
	}
}

// offsetSuffix is behind the tag of a key with what a movable clock is ahead.
const offsetSuffix = "x"

// seen answers a claim of an operation that is done from its record alone, without a script: that is all that a claim looks at, for such a record never changes. What it
// cannot answer, also because the server refuses to say, is left to the script.
//
// GETEX without options is GET as a command that writes: a replica refuses it (G1). The anchor and the time come after the record in the same flight, on the same
// connection, which in a Cluster cannot be had; and with WaitReplicas the record has to be waited for.
func (s *Store) seen(ctx context.Context, q store.ClaimRequest) (a store.Answer, ok bool, err error) {
	if s.cluster || s.config.WaitReplicas > 0 || !s.recent.has(q.ID) {
		return a, false, nil
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		return a, false, failed("claim", err)
	}
	tag := s.shard(q.ID)
	commands := []rueidis.Completed{
		s.client.B().Getex().Key(tag + "r" + string(q.ID[:])).Build(), s.client.B().Get().Key(tag + "a" + q.Service).Build(), s.client.B().Time().Build(),
	}
	if s.config.movable {
		commands = append(commands, s.client.B().Get().Key(tag+offsetSuffix).Build())
	}
	got := s.bounded(ctx, func() []rueidis.RedisResult { return s.client.DoMulti(ctx, commands...) })
	if len(got) == 0 {
		return a, false, failed("claim", ctx.Err())
	}
	value, err := got[0].AsBytes()
	anchor, err2 := got[1].AsBytes()
	for _, err := range []error{err, err2} {
		if _, says := rueidis.IsRedisErr(err); says || rueidis.IsRedisNil(err) { // it is purged; or the user lacks a privilege, or the server is a replica now
			s.recent.drop(q.ID)
			return a, false, nil
		}
	}
	now, err3 := timeOf(got[2:])
	if err := errors.Join(err, err2, err3); err != nil {
		return a, false, failed("claim", err)
	}
	if len(anchor) < nameSize+6 || string(anchor[:nameSize]) != s.name {
		return a, false, nil // as it is no longer the store that was opened: the script says so
	}
	r, err := decode(value, q.Identity)
	if err != nil || r.State != store.Done {
		return a, false, err
	}
	shard := s.number(q.ID)
	now = max(now, s.newest(shard))
	s.see(shard, now)
	return store.Claim(r, q, store.Env{Now: now, Watermark: read48(anchor[nameSize:])}).Answer, true, nil
}

// timeOf reads what TIME answers, and the offset of a movable clock.
func timeOf(got []rueidis.RedisResult) (store.Time, error) {
	at, err := got[0].AsStrSlice()
	if err != nil || len(at) != 2 {
		return 0, errors.Join(err, errApart)
	}
	seconds, err := strconv.ParseInt(at[0], 10, 64)
	micros, err2 := strconv.ParseInt(at[1], 10, 64)
	now := store.Time(seconds*1000 + micros/1000)
	if len(got) > 1 {
		offset, _ := got[1].AsInt64() // there is none before it is moved
		now += store.Time(offset)
	}
	return now, errors.Join(err, err2)
}
