package redisstore

import (
	"errors"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestALostAnchorStaysLost: a service whose anchor is gone from a shard is not served there until somebody has decided. Neither a purge nor a seal makes the anchor anew, with an earlier
// watermark: a sealed key would be admitted.
func TestALostAnchorStaysLost(t *testing.T) {
	server := redistest.Shared(t)
	s := shared(t, Config{Shards: 2, movable: true, bucket: time.Second})
	now, err := s.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	work(t, s, inShard(s, s.tags[1], "over", now), nil)
	move(t, s, 25*time.Hour)
	now = now.Add(25 * time.Hour)
	work(t, s, inShard(s, s.tags[0], "there", now), nil)
	sealed := claimOf(inShard(s, s.tags[0], "sealed", now-1000), tokenOf(drawn.Add(1)))
	if _, err := s.Seal(t.Context(), "orders", now-500); err != nil {
		t.Fatal(err)
	}
	talk(t, server, "DEL", s.tags[0]+"aorders")
	for name, call := range map[string]func() error{
		"Claim": func() error { _, err := s.Claim(t.Context(), sealed); return err },
		"Purge": func() error { _, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 10}); return err },
		"Seal":  func() error { _, err := s.Seal(t.Context(), "orders", now-400); return err },
		"Stats": func() error { _, err := s.Stats(t.Context(), ""); return err },
	} {
		if err := call(); !errors.Is(err, ErrForgotten) {
			t.Errorf("%s: %v", name, err)
		}
		if a, err := s.Claim(t.Context(), sealed); !errors.Is(err, ErrForgotten) {
			t.Errorf("a sealed key, after %s: %v, %v", name, a.Verdict, err)
		}
	}
}
