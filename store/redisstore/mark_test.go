package redisstore

import (
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// TestAMarkOutlivesAClockThatIsSetBack: a released token is dead until its claims are, by the clock of whoever sends them, also if the process that released it has seen a later time than the
// server shows.
func TestAMarkOutlivesAClockThatIsSetBack(t *testing.T) {
	l := &life{T: t, Store: shared(t, Config{Shards: 1, movable: true})}
	move(t, l.Store, time.Hour)
	r := l.claimed()
	move(t, l.Store, -time.Hour)
	until := r.FirstSeen.Add(10 * time.Minute)
	if a, err := l.Advance(t.Context(), store.AdvanceRequest{Identity: r.Identity, Token: r.Token, Op: store.OpRelease, ValidUntil: until}); err != nil || a.Verdict != store.Applied {
		t.Fatalf("release: %v, %v", a.Verdict, err)
	}
	key := l.tags[0] + "m" + string(r.ID[:]) + string(r.Token[:])
	lives, err := l.client.Do(t.Context(), l.client.B().Pttl().Key(key).Build()).AsInt64()
	if err != nil || time.Duration(lives)*time.Millisecond < 69*time.Minute {
		t.Errorf("the mark lives for %v, %v, and its claims by the server's clock for an hour and ten minutes", time.Duration(lives)*time.Millisecond, err)
	}
}

// TestAnOperatorsReplyIsCopied: who decides may change the reply once the call has been answered, also if it was given up while the driver was still sending it.
func TestAnOperatorsReplyIsCopied(t *testing.T) {
	s := shared(t, Config{})
	reply := []byte("paid")
	args := s.decideArgs(store.DecideRequest{Identity: identity("k", 0), Decision: store.Happened, Reply: reply})
	copy(reply, "lost")
	if got := args[len(args)-1]; got != "paid" {
		t.Errorf("%q is sent", got)
	}
}
