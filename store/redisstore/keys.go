package redisstore

import "github.com/onceward/onceward/store"

// The keys of a shard, each behind its tag:
//
//	r id          a record
//	m id token    until when a released token is dead, in milliseconds; expires
//	q id          the channel of those who wait for the record; expires
//	w             the shard's anchor: its field "" is the store's name, when the shard was laid out, and the number of shards, each other a service that was seen here
//	a service     the service's anchor: the store's name and the watermark
//	c, s          claimed and started records by lease
//	d time:service   the ids of done records of a service whose purge time is in one span, which ends at time
//	b             the suffixes of these lists by time
//	t             the trail
//	-             never there: see shardKeys
//
// A script derives their names from the record's. A Cluster that moves a slot has to be told all of them: it then refuses a script before it has begun
// while some keys are on one side and some on the other.
func (s *Store) keys(who store.Identity, more ...string) []string {
	tag := s.shard(who.ID)
	keys := make([]string, 1, 1+len(more))
	keys[0] = tag + "r" + string(who.ID[:])
	if s.cluster {
		for _, suffix := range more {
			keys = append(keys, tag+suffix)
		}
	}
	return keys
}

// shardKeys are what a script of a whole shard declares: its anchor and, in a Cluster, a key that is never there. While the slot is moved, a server refuses a script of
// which it has some keys and not others. These scripts read and write keys that nobody can name beforehand, and would find a half of them.
func (s *Store) shardKeys(tag string) []string {
	if s.cluster {
		return []string{tag + "w", tag + "-"}
	}
	return []string{tag + "w"}
}

func (s *Store) claimKeys(q store.ClaimRequest) []string {
	if !s.cluster {
		return s.keys(q.Identity)
	}
	return s.keys(q.Identity, "a"+q.Service, "c", "s", "m"+string(q.ID[:])+string(q.Token[:]), "q"+string(q.ID[:]))
}

// completeKeys have the one that is never there, too: the list of done records cannot be named beforehand, and while it is still at the old node a step at the new one would make a second.
func (s *Store) completeKeys(who store.Identity) []string {
	if !s.cluster {
		return s.keys(who)
	}
	return s.keys(who, "a"+who.Service, "c", "s", "b", "t", "q"+string(who.ID[:]), "-")
}

func (s *Store) stepKeys(who store.Identity, t store.Token) []string {
	if !s.cluster {
		return s.keys(who)
	}
	return s.keys(who, "a"+who.Service, "c", "s", "m"+string(who.ID[:])+string(t[:]), "q"+string(who.ID[:]))
}

func (s *Store) decideKeys(who store.Identity) []string { return s.completeKeys(who) }

func (s *Store) getKeys(who store.Identity) []string { return s.keys(who, "a"+who.Service) }

func (s *Store) lookKeys(who store.Identity) []string {
	return s.keys(who, "a"+who.Service, "q"+string(who.ID[:]))
}
