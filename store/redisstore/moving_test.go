package redisstore

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// halfMoved leaves a shard's slot between two nodes, with the keys of the suffixes at the new one, and returns what moves the rest.
func halfMoved(t *testing.T, c *redistest.Cluster, tag string, suffixes ...string) (finish func()) {
	t.Helper()
	slot := strconv.Itoa(slotOf(tag))
	n, err := c.Owner(slotOf(tag))
	if err != nil {
		t.Fatal(err)
	}
	from, to := c.Nodes[n], c.Nodes[(n+1)%len(c.Nodes)]
	fromID, toID := talk(t, from, "CLUSTER", "MYID").(string), talk(t, to, "CLUSTER", "MYID").(string)
	talk(t, to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	talk(t, from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	migrate := func(key string) { talk(t, from, "MIGRATE", "127.0.0.1", to.Port(), key, "0", "5000") }
	for _, suffix := range suffixes {
		migrate(tag + suffix)
	}
	return func() {
		t.Helper()
		for _, key := range talk(t, from, "CLUSTER", "GETKEYSINSLOT", slot, "1000").([]any) {
			migrate(key.(string))
		}
		for _, s := range []*redistest.Server{to, from} {
			talk(t, s, "CLUSTER", "SETSLOT", slot, "NODE", toID)
		}
	}
}

// TestClusterHalfMovedSlot: what concerns a whole shard is refused while some of its keys are at one node and some at the other, and is whole again afterwards. Otherwise a seal would be
// acknowledged and forgotten, an unknown not listed, and a purge would leave records behind for good.
func TestClusterHalfMovedSlot(t *testing.T) {
	t.Parallel() // it has a server of its own
	c := redistest.OwnCluster(t, 2, redistest.Config{})
	s := openAt(t, Config{Shards: 2, AllowLossyFailover: true, unsealed: true, movable: true, bucket: time.Hour}, c.Nodes[0].Address())
	tag := s.tags[0]
	now, err := s.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unknown := claimOf(inShard(s, tag, "unknown", 0), tokenOf(drawn.Add(1)))
	unknown.Lease = time.Millisecond
	if _, err := s.Claim(t.Context(), unknown); err != nil {
		t.Fatal(err)
	}
	over := inShard(s, tag, "over", 0)
	work(t, s, over, nil)
	move(t, s, 48*time.Hour)
	now = now.Add(48 * time.Hour)

	calls := map[string]func(context.Context) (int64, error){
		"Seal": func(ctx context.Context) (int64, error) {
			w, err := s.Seal(ctx, "orders", now)
			return int64(w), err
		},
		"List": func(ctx context.Context) (int64, error) {
			p, err := s.List(ctx, store.ListRequest{Class: store.ClassUnknown, Limit: 10})
			return int64(len(p.Records)), err
		},
		"Stats": func(ctx context.Context) (int64, error) {
			st, err := s.Stats(ctx, "")
			return st.Unknown, err
		},
		"Purge": func(ctx context.Context) (int64, error) {
			r, err := s.Purge(ctx, store.PurgeRequest{Limit: 10})
			return int64(r.Removed), err
		},
		"Claim of a new service": func(ctx context.Context) (int64, error) {
			q := claimOf(inShard(s, tag, "new", 0), tokenOf(1))
			q.Service = "refunds"
			a, err := s.Claim(ctx, q)
			return int64(a.Verdict), err
		},
	}
	lists, err := s.client.Do(t.Context(), s.client.B().Zrange().Key(tag+"b").Min("0").Max("-1").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	finish := halfMoved(t, c, tag, "w", "x", "b", "d"+lists[0]) // as if the slot had nothing else
	for name, call := range calls {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		if n, err := call(ctx); err == nil {
			t.Errorf("%s on a half of the shard: %d", name, n)
		}
		cancel()
	}
	finish()
	for name, want := range map[string]int64{"Seal": int64(now), "List": 1, "Stats": 1, "Purge": 1, "Claim of a new service": int64(store.Granted)} {
		if got, err := calls[name](t.Context()); err != nil || got != want {
			t.Errorf("%s of the whole shard: %d, %v, want %d", name, got, err, want)
		}
	}
	if a, err := s.Claim(t.Context(), claimOf(inShard(s, tag, "sealed", now-1), tokenOf(2))); err != nil || a.Verdict != store.Expired {
		t.Errorf("a sealed key: %v, %v", a.Verdict, err)
	}
	completeHalfMoved(t, c, s)
}

// completeHalfMoved: a completion is refused also where all keys that it can name are at the new node already, and the list into which it puts the record, whose name nobody knows beforehand, is
// not: a second one there would stop the move, or take the place of the first, whose records would never be purged.
func completeHalfMoved(t *testing.T, c *redistest.Cluster, s *Store) {
	t.Helper()
	tag := s.tags[1]
	work(t, s, inShard(s, tag, "list", 0), nil)
	decided := claimOf(inShard(s, tag, "decided", 0), tokenOf(drawn.Add(1)))
	decided.Lease = time.Millisecond
	a, err := s.Claim(t.Context(), decided)
	if err != nil {
		t.Fatal(err)
	}
	move(t, s, time.Second)
	if _, err := s.Decide(t.Context(), store.DecideRequest{Identity: decided.Identity, Token: tokenOf(drawn.Add(1)), Decision: store.DidNotHappen, Version: a.Record.Version, Actor: "ops", Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	open, claimed := claimOf(inShard(s, tag, "open", 0), tokenOf(drawn.Add(1))), claimOf(inShard(s, tag, "claimed", 0), tokenOf(drawn.Add(1)))
	claimed.Start = false
	for _, q := range []store.ClaimRequest{open, claimed} {
		if _, err := s.Claim(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.look(t.Context(), open.Identity); err != nil { // somebody waits
		t.Fatal(err)
	}
	id := string(open.ID[:])
	finish := halfMoved(t, c, tag, "r"+id, "q"+id, "aorders", "c", "s", "b", "t", "x")
	complete := completeOf(open.Identity, open.Token, "done")
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if a, err := s.Advance(ctx, complete); err == nil {
		t.Errorf("a completion on a half of the shard: %v", a.Verdict)
	}
	finish()
	if a, err := s.Advance(t.Context(), complete); err != nil || a.Verdict != store.Applied {
		t.Errorf("a completion on the whole: %v, %v", a.Verdict, err)
	}
	move(t, s, 48*time.Hour)
	if r, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 100}); err != nil || r.Removed != 3 {
		t.Errorf("a purge of all that is done: %+v, %v", r, err)
	}
}
