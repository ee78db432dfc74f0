package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// counts are the numbers of all shards together.
type counts struct {
	now                       store.Time
	claimed, started, unknown int64
	oldest                    store.Time
	watermark                 map[string]store.Time
	done                      map[string]int64
}

func (s *Store) counts(ctx context.Context) (counts, error) {
	c := counts{watermark: map[string]store.Time{}, done: map[string]int64{}}
	args := func(shard int) []string { return []string{rueidis.BinaryString(s.begin(nil, shard))} }
	err := s.each(ctx, "stats", s.scripts.stats, args, func(_ int, reply []rueidis.RedisMessage) error {
		at, err := reply[0].AsBytes()
		if err != nil || len(reply) < 5 {
			return errApart
		}
		c.now = max(c.now, read48(at))
		n := numbers(reply[1:5])
		c.claimed, c.started, c.unknown = c.claimed+n[0], c.started+n[1], c.unknown+n[2]
		if oldest := store.Time(n[3]); oldest != 0 && (c.oldest == 0 || oldest < c.oldest) {
			c.oldest = oldest
		}
		for rest := reply[5:]; len(rest) >= 3; rest = rest[3:] {
			service, err := rest[0].ToString()
			if err != nil {
				return err
			}
			n := numbers(rest[1:3])
			c.watermark[service] = max(c.watermark[service], store.Time(n[0]))
			c.done[service] += n[1]
		}
		return nil
	})
	return c, err
}

// numbers reads integers; what is none counts as zero, and our scripts send none.
func numbers(reply []rueidis.RedisMessage) []int64 {
	n := make([]int64, len(reply))
	for i := range reply {
		n[i], _ = reply[i].AsInt64()
	}
	return n
}

// Stats implements [store.Upkeep]. For all services it counts by the indexes; for one service it visits the open records. The bound of memory is the server's, not
// the store's own, and so is what is used of it.
func (s *Store) Stats(ctx context.Context, service string) (store.Stats, error) {
	if len(service) > store.MaxName {
		return store.Stats{}, fmt.Errorf("%w: service has %d bytes: it must have at most %d", store.ErrInvalid, len(service), store.MaxName)
	}
	if err := s.ready(ctx); err != nil {
		return store.Stats{}, failed("stats", err)
	}
	c, err := s.counts(ctx)
	if err != nil {
		return store.Stats{}, err
	}
	st := store.Stats{Now: c.now}
	if service == "" {
		st.Claimed, st.Started, st.Unknown, st.OldestUnknown = c.claimed, c.started, c.unknown, c.oldest
		for _, n := range c.done {
			st.Done += n
		}
		return st, nil
	}
	st.Watermark, st.Done = c.watermark[service], c.done[service]
	for _, class := range []store.Class{store.ClassOpen, store.ClassUnknown} {
		if err := s.countOpen(ctx, service, class, &st); err != nil {
			return store.Stats{}, err
		}
	}
	return st, nil
}

// countOpen visits each open record of a class once: all shards in one flight, and then the rest of those that have more than a page.
func (s *Store) countOpen(ctx context.Context, service string, class store.Class, st *store.Stats) error {
	rest := map[int]place{}
	count := func(shard int, reply []rueidis.RedisMessage) error {
		at, _ := reply[0].AsBytes()
		st.Now = max(st.Now, read48(at))
		p, err := decodePart(reply, store.MaxPage)
		for _, r := range p.records {
			if r.Service == service && !(p.cut && placeOf(r).compare(p.end) > 0) { // it comes again
				countRecord(r, class, st)
			}
		}
		if delete(rest, shard); p.cut {
			rest[shard] = p.end
		}
		return err
	}
	args := func(shard int) []string { return s.listArgs(shard, class, rest[shard], store.MaxPage) }
	if err := s.each(ctx, "stats", s.scripts.list, args, count); err != nil {
		return err
	}
	for len(rest) > 0 {
		for shard := range rest {
			reply, err := s.on(ctx, "stats", shard, s.scripts.list, args(shard)...)
			if err != nil {
				return err
			}
			if err := count(shard, reply); err != nil {
				return failed("stats", err)
			}
		}
	}
	return nil
}

func countRecord(r store.Record, class store.Class, st *store.Stats) {
	switch {
	case class == store.ClassUnknown:
		st.Unknown++
		if st.OldestUnknown == 0 || r.Lease < st.OldestUnknown {
			st.OldestUnknown = r.Lease
		}
	case r.State == store.Claimed:
		st.Claimed++
	default:
		st.Started++
	}
}
