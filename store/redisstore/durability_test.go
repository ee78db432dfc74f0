package redisstore

import (
	"testing"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestWhatIsSyncedIsSaid: a server that does not sync while it rewrites its log promises no more than one that never does.
func TestWhatIsSyncedIsSaid(t *testing.T) {
	server := redistest.Own(t, redistest.Config{Durable: true})
	if got := openAt(t, Config{}, server.Address()).Traits(); got.Survives != store.SurvivesPowerLoss || len(got.Caveats) != 0 {
		t.Errorf("each write synced: %+v", got)
	}
	talk(t, server, "CONFIG", "SET", "no-appendfsync-on-rewrite", "yes")
	if got := openAt(t, Config{}, server.Address()).Traits(); got.Survives != store.SurvivesCrash || len(got.Caveats) != 1 {
		t.Errorf("not while the log is rewritten: %+v", got)
	}
}

// TestLimitAnOldSnapshot shows where the anchors end: a server that keeps snapshots and no log comes back with an old one, anchors and all. What it has forgotten runs again, and nobody is told. So
// Traits say that nothing survives.
func TestLimitAnOldSnapshot(t *testing.T) {
	server := redistest.Own(t, redistest.Config{Settings: map[string]string{"save": "3600 1"}})
	s := openAt(t, Config{}, server.Address())
	if got := s.Traits(); got.Survives != store.SurvivesNothing || len(got.Caveats) != 1 {
		t.Errorf("traits %+v", got)
	}
	work(t, s, identity("before", 0), nil)
	talk(t, server, "SAVE")
	work(t, s, identity("after", 0), nil)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]store.Verdict{"before": store.Replay, "after": store.Granted} {
		if a, err := claimAgain(t, s, identity(key, 0)); err != nil || a.Verdict != want {
			t.Errorf("what was done %s the snapshot: %v, %v, want %v", key, a.Verdict, err, want)
		}
	}
}
