package redisstore

import (
	"errors"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestLongReplies: what the server does not take is not sent to it, for it would cut the connection that all share, each time. The store says beforehand how long a reply may be, and the
// longest goes through, with the longest names.
func TestLongReplies(t *testing.T) {
	if got := shared(t, Config{}).Traits().MaxReply; got != DefaultMaxReply {
		t.Errorf("MaxReply is %d", got)
	}
	if got := shared(t, Config{MaxReply: 1000}).Traits().MaxReply; got != 1000 {
		t.Errorf("MaxReply is %d", got)
	}
	server := redistest.Own(t, redistest.Config{Settings: map[string]string{"proto-max-bulk-len": "1mb"}})
	s := openAt(t, Config{}, server.Address())
	most := s.Traits().MaxReply
	if most < 1000_000 || most >= 1<<20 {
		t.Fatalf("MaxReply is %d of a server that takes 1 MiB", most)
	}
	if _, err := onceward.New(s, onceward.Config{MaxReply: 1 << 20}); !errors.Is(err, onceward.ErrConfig) {
		t.Errorf("a guard that would keep more: %v", err)
	}
	made := s.connections.made.Load()
	who := store.Identity{ID: store.ID{1}, Service: strings.Repeat("s", store.MaxName), Principal: strings.Repeat("p", store.MaxName), Key: strings.Repeat("k", store.MaxKey)}
	if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
		t.Fatal(err)
	}
	if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(1), strings.Repeat("r", most+1))); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a reply that is too long: %v, %v", a.Verdict, err)
	}
	told := store.DecideRequest{Identity: who, Token: tokenOf(2), Decision: store.Happened, Reply: make([]byte, most+1), Actor: "ops", Reason: "why not"}
	if a, err := s.Decide(t.Context(), told); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an operator's: %v, %v", a.Verdict, err)
	}
	if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(1), strings.Repeat("r", most))); err != nil || a.Verdict != store.Applied {
		t.Errorf("the longest: %v, %v", a.Verdict, err)
	}
	if a, err := s.Get(t.Context(), who); err != nil || len(a.Record.Reply) != most {
		t.Errorf("it came back with %d bytes, %v", len(a.Record.Reply), err)
	}
	if n := s.connections.made.Load(); n != made {
		t.Error("the connection was cut")
	}
}
