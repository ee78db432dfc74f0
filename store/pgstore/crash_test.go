package pgstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore/pgtest"
	"github.com/onceward/onceward/store/storetest"
)

// X3 with a server that is killed, processes and all, and recovers from its log.
func TestDurabilityThroughServerCrashes(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	server := pgtest.Own(t, pgtest.Config{Durable: true})
	db := tables{owner: open(t, server.URL("postgres"))}
	db.pool = db.owner
	restarted := func(t testing.TB, s store.Store, end func() error) store.Store {
		t.Helper()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		db.pool.Reset() // its connections are broken
		return db.again(t, s.(*Store).config.Schema)
	}
	h := storetest.Harness{
		New:    func(t testing.TB) store.Store { return db.fresh(t) },
		Traits: store.Traits{Name: "postgres", Survives: store.SurvivesPowerLoss, Shared: true, LossyFailover: true, ListsDone: true},
		Reopen: func(t testing.TB, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return restarted(t, s, server.Stop)
		},
		Crash:   func(t testing.TB, s store.Store) store.Store { return restarted(t, s, server.Kill) },
		Advance: nil, // in real time: a lease may lapse while the server is down
	}
	for _, c := range storetest.Cases() {
		if strings.HasPrefix(c.Name, "X3_") {
			t.Run(c.Name, func(t *testing.T) { c.Run(t, h) })
		}
	}
}

// Many write while the server is killed under them. What was acknowledged is there afterwards, and what was done stays done.
func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	server := pgtest.Own(t, pgtest.Config{Durable: true})
	pool := open(t, server.URL("postgres"))
	if _, err := Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), pool, Config{})
	if err != nil {
		t.Fatal(err)
	}
	const writers, rounds = 8, 2
	total := 0
	for round := range rounds {
		var acknowledged sync.Map // key: reply
		var all sync.WaitGroup
		enough := make(chan struct{}, 1000*writers)
		for w := range writers {
			all.Go(func() {
				for n := 0; ; n++ {
					key, token := fmt.Sprint(round, w, n), tokenOf(byte(w+1))
					token[5], token[6], token[7] = byte(n), byte(n>>8), byte(round)
					if _, err := s.Claim(context.Background(), claimOf(identity(key, 0), token)); err != nil {
						return // the server is gone
					}
					if a, err := s.Advance(context.Background(), completeOf(identity(key, 0), token, key)); err == nil && a.Verdict == store.Applied {
						acknowledged.Store(key, key)
						enough <- struct{}{}
					}
				}
			})
		}
		for range 100 {
			<-enough
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		pool.Reset()
		for key := range acknowledged.Range {
			total++
			a, err := s.Get(t.Context(), identity(key.(string), 0))
			if err != nil || a.Verdict != store.Replay || string(a.Record.Reply) != key {
				t.Errorf("acknowledged, and after a crash %v, %v: %s", a.Verdict, err, key)
			}
		}
	}
	if total < 100*rounds {
		t.Errorf("only %d acknowledged writes were looked at", total)
	}
}
