package redisstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

var _ store.Finder = (*Store)(nil)

// nameEnd is where the longest record's names end, and so its reply begins at the latest.
const nameEnd = headSize + bodySize + 2*store.MaxName + 255

// Find implements [store.Finder]: the id says where the record is, and the record whose it is.
func (s *Store) Find(ctx context.Context, id store.ID) (store.Identity, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		return store.Identity{}, failed("find", err)
	}
	tag, shard := s.shard(id), s.number(id)
	keys := []string{tag + "w"}
	if s.cluster {
		keys = append(keys, tag+"r"+string(id[:]))
	}
	reply, err := s.shardReply("find", shard, s.run(ctx, s.scripts.find, keys, rueidis.BinaryString(s.begin(nil, shard)), string(id[:]), strconv.Itoa(nameEnd)))
	if err != nil {
		return store.Identity{}, failed("find", err)
	}
	if len(reply) != 2 {
		return store.Identity{}, failed("find", errApart)
	}
	b, err := reply[1].AsBytes()
	if err != nil || len(b) == 0 {
		return store.Identity{}, failed("find", err)
	}
	if len(b) >= headSize {
		if who, _, _, _, ok := decodeBody(b[headSize:], store.Identity{ID: id}); ok {
			return who, nil
		}
	}
	return store.Identity{}, fmt.Errorf("redisstore: record %v: %w", id, store.ErrCorrupt)
}
