package redisstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestStoresAreApart: prefixes that begin alike, and databases, share nothing.
func TestStoresAreApart(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	tags := map[string]bool{}
	for _, prefix := range []string{"a", "a1", "a-1", "a11"} {
		l := &life{T: t, Store: openAt(t, Config{Prefix: prefix, Shards: 40}, server.Address())}
		l.done() // under the same key
		for _, tag := range l.tags {
			if tags[tag] {
				t.Errorf("two stores share %s", tag)
			}
			tags[tag] = true
		}
	}
}

// TestLayout: the number of shards is that of the first opening, and an unknown layout is refused.
func TestLayout(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	first := &life{T: t, Store: openAt(t, Config{Shards: 3}, server.Address())}
	r := first.done()
	second := openAt(t, Config{Shards: 9}, server.Address())
	if a, err := second.Get(t.Context(), r.Identity); err != nil || a.Record.State != r.State || len(second.tags) != 3 {
		t.Errorf("%d shards, %v, %v", len(second.tags), a.Record.State, err)
	}
	if _, err := New(t.Context(), clientOf(server), Config{Prefix: "none", Existing: true}); !errors.Is(err, ErrNoStore) || talk(t, server, "EXISTS", "none:layout") != int64(0) {
		t.Errorf("a store was laid out by who only looks: %v", err)
	}
	if _, err := Look(t.Context(), "redis://"+server.Address()+"?prefix=none", Config{}); !errors.Is(err, ErrNoStore) || talk(t, server, "EXISTS", "none:layout") != int64(0) {
		t.Errorf("a store was laid out by a look: %v", err)
	}
	if traits, err := Look(t.Context(), "redis://"+server.Address(), Config{}); err != nil || traits.Name != "redis" {
		t.Errorf("a look: %+v, %v", traits, err)
	}
	looking := openAt(t, Config{Existing: true}, server.Address())
	if got, err := looking.Report(t.Context()); err != nil || got.Shards != 3 || got.Services["orders"].Done != 1 || got.Stats.Done != 1 {
		t.Errorf("looked at: %+v, %v", got, err)
	}
	for _, plan := range []string{"1 3 0123456789abcdef", "3 3 0123456789abcdef", "2 0 0123456789abcdef", "2 3 short", "2 many 0123456789abcdef", ""} {
		talk(t, server, "HSET", "onceward:layout", "plan", plan)
		if _, err := New(t.Context(), clientOf(server), Config{}); !errors.Is(err, ErrLayout) {
			t.Errorf("%q: %v", plan, err)
		}
	}
}

// TestConfigSaysAllThatIsWrong names each field, at once.
func TestConfigSaysAllThatIsWrong(t *testing.T) {
	_, err := New(t.Context(), clientOf(redistest.Shared(t)), Config{Prefix: "{x}", Shards: -1, Timeout: -1, WaitReplicas: -1, Poll: -1, MaxReply: -1})
	if _, err := New(t.Context(), clientOf(redistest.Shared(t)), Config{Prefix: "shop:eu"}); err == nil || !strings.Contains(err.Error(), "Prefix") {
		t.Errorf("a prefix that the privileges of shop cover: %v", err)
	}
	for _, field := range []string{"Prefix", "Shards", "Timeout", "WaitReplicas", "Poll", "MaxReply"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("nothing of %s: %v", field, err)
		}
	}
}

// TestANewStoreIsSealedUntilNow: a process that starts after FLUSHALL finds nothing, lays the store out anew, and does not run again what ran a second ago: keys that were minted before
// are refused, also those of a service that comes later. Those that are minted from then on are admitted.
func TestANewStoreIsSealedUntilNow(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	first := openAt(t, Config{movable: true}, server.Address())
	move(t, first, time.Hour)
	now, err := first.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ran := identity("ran", now-1000)
	work(t, first, ran, nil)
	talk(t, server, "FLUSHALL")
	if _, err := first.Claim(t.Context(), claimOf(ran, tokenOf(1))); !errors.Is(err, ErrForgotten) {
		t.Fatalf("the process that was there: %v", err)
	}
	for _, tag := range first.tags { // the clock goes on where it was
		talk(t, server, "SET", tag+"x", strconv.FormatInt(time.Hour.Milliseconds(), 10))
	}
	again := openAt(t, Config{movable: true}, server.Address())
	after, err := again.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	move(t, again, time.Minute)
	for _, service := range []string{"orders", "payouts"} {
		for n := range uint64(30) { // in all shards
			who := identity(fmt.Sprint("ran", n), now-1000)
			who.Service = service
			if a, err := again.Claim(t.Context(), claimOf(who, tokenOf(n))); err != nil || a.Verdict != store.Expired || a.Watermark < now {
				t.Fatalf("a key that was minted before: %v, %v", a.Verdict, err)
			}
			who = identity(fmt.Sprint(service, " new ", n), after+1)
			who.Service = service
			if a, err := again.Claim(t.Context(), claimOf(who, tokenOf(n))); err != nil || a.Verdict != store.Granted {
				t.Fatalf("a key that was minted after it, for %s: %v, %v", service, a.Verdict, err)
			}
		}
		if w, err := again.Seal(t.Context(), service, 500); err != nil || w < now || w > after {
			t.Errorf("the watermark in force is %d, %v, want that of the layout, %d", w, err, now)
		}
	}
	if st, err := again.Stats(t.Context(), "orders"); err != nil || st.Watermark < now {
		t.Errorf("the watermark is %d, %v", st.Watermark, err)
	}
	if w, err := again.Seal(t.Context(), "refunds", 500); err != nil || w < now {
		t.Errorf("of a service that nobody has used yet, the watermark in force is %d, %v", w, err)
	}
}

// TestANewClusterIsSealedByTheNewestClock: the clock of one node is half an hour behind when the store is laid out anew. Claims on its shards go by the newest clock, and so does the seal:
// what ran there does not run again. One that is a day behind goes by its own.
func TestANewClusterIsSealedByTheNewestClock(t *testing.T) {
	t.Parallel() // it has a server of its own
	server := redistest.OwnCluster(t, 1, redistest.Config{}).Nodes[0]
	config := Config{Shards: 3, movable: true, AllowLossyFailover: true} // the clocks are the shards'
	tags := tagsOf(DefaultPrefix, 3)
	behind := func() {
		talk(t, server, "SET", tags[1]+offsetSuffix, strconv.FormatInt(-(30*time.Minute).Milliseconds(), 10))
		talk(t, server, "SET", tags[2]+offsetSuffix, strconv.FormatInt(-(24*time.Hour).Milliseconds(), 10))
	}
	behind()
	s := openAt(t, config, server.Address())
	now, err := s.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ran := inShard(s, s.tags[1], "ran", now+1)
	for at := now; at <= now+1; { // the key is minted after the first layout, and before the second
		if at, err = s.clock(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	work(t, s, ran, nil)
	talk(t, server, "FLUSHALL")
	behind()
	again := openAt(t, config, server.Address())
	for _, tag := range tags[:2] {
		if a, err := again.Claim(t.Context(), claimOf(inShard(again, tag, "ran", now+1), tokenOf(drawn.Add(1)))); err != nil || a.Verdict != store.Expired {
			t.Errorf("a key that was minted before, in %s: %v, %v", tag, a.Verdict, err)
		}
	}
	apart := inShard(again, tags[2], "new", store.Time(int64(now)-(24*time.Hour-30*time.Second).Milliseconds()))
	if a, err := again.Claim(t.Context(), claimOf(apart, tokenOf(drawn.Add(1)))); err != nil || a.Verdict != store.Granted {
		t.Errorf("a clock that is a day apart was taken along: %v, %v", a.Verdict, err)
	}
}

// TestLimitUnstampedKeysAfterAFlush shows where the seal of a new store ends: a key without a mint time may be as old as any, and runs again for a process that starts after FLUSHALL.
func TestLimitUnstampedKeysAfterAFlush(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	work(t, openAt(t, Config{}, server.Address()), identity("ran", 0), nil)
	talk(t, server, "FLUSHALL")
	if a, err := openAt(t, Config{}, server.Address()).Claim(t.Context(), claimOf(identity("ran", 0), tokenOf(1))); err != nil || a.Verdict != store.Granted {
		t.Errorf("%v, %v: if it is refused now, say so in README.md", a.Verdict, err)
	}
}
