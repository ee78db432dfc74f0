package redisstore

import (
	"errors"
	"strings"
	"testing"

	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestStoresAreApart: prefixes that begin alike, and databases, share nothing.
func TestStoresAreApart(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	tags := map[string]bool{}
	for _, prefix := range []string{"a", "a1", "a:1", "a11"} {
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
	if _, err := New(t.Context(), clientOf(server), Config{Prefix: "none", Existing: true}); !errors.Is(err, ErrLayout) || talk(t, server, "EXISTS", "none:layout") != int64(0) {
		t.Errorf("a store was laid out by who only looks: %v", err)
	}
	looking := openAt(t, Config{Existing: true}, server.Address())
	if got, err := looking.Report(t.Context()); err != nil || got.Shards != 3 || got.Services["orders"].Done != 1 || got.Stats.Done != 1 {
		t.Errorf("looked at: %+v, %v", got, err)
	}
	for _, plan := range []string{"2 3 0123456789abcdef", "1 0 0123456789abcdef", "1 3 short", "1 many 0123456789abcdef", ""} {
		talk(t, server, "HSET", "onceward:layout", "plan", plan)
		if _, err := New(t.Context(), clientOf(server), Config{}); !errors.Is(err, ErrLayout) {
			t.Errorf("%q: %v", plan, err)
		}
	}
}

// TestConfigSaysAllThatIsWrong names each field, at once.
func TestConfigSaysAllThatIsWrong(t *testing.T) {
	_, err := New(t.Context(), clientOf(redistest.Shared(t)), Config{Prefix: "{x}", Shards: -1, Timeout: -1, WaitReplicas: -1, Poll: -1})
	for _, field := range []string{"Prefix", "Shards", "Timeout", "WaitReplicas", "Poll"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("nothing of %s: %v", field, err)
		}
	}
}
