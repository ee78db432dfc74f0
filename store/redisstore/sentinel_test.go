package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

func throughSentinel(t testing.TB, s *redistest.Sentinel, c Config) *Store {
	t.Helper()
	o := rueidis.ClientOption{InitAddress: []string{s.Watcher.Address()}, Sentinel: rueidis.SentinelOption{MasterSet: redistest.MasterSet}}
	opened, err := New(t.Context(), o, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

// TestSentinelStoretest holds the store to every clause, behind Sentinel.
func TestSentinelStoretest(t *testing.T) {
	t.Parallel() // it has a server of its own
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	s := redistest.OwnSentinel(t, redistest.Config{Settings: map[string]string{"appendonly": "yes"}})
	conform(t, func(t testing.TB, c Config) *Store { return throughSentinel(t, s, c) })
}

// TestSentinelFailover promotes a replica that has everything: what was done is replayed, also with the scripts gone.
func TestSentinelFailover(t *testing.T) {
	t.Parallel() // it has a server of its own
	sentinel := redistest.OwnSentinel(t, redistest.Config{})
	s := throughSentinel(t, sentinel, Config{AllowLossyFailover: true, WaitReplicas: 1})
	for n := range uint64(50) {
		who := identity(fmt.Sprint(n), 0)
		if a, err := s.Claim(t.Context(), claimOf(who, tokenOf(n))); err != nil || a.Verdict != store.Granted {
			t.Fatalf("claim: %v, %v", a.Verdict, err)
		}
		if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(n), "paid")); err != nil || a.Verdict != store.Applied {
			t.Fatalf("complete: %v, %v", a.Verdict, err)
		}
	}
	if err := sentinel.Master.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := sentinel.Promoted(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.config.WaitReplicas = 0 // nobody is left
	for n := range uint64(50) {
		if a, err := claimAgain(t, s, identity(fmt.Sprint(n), 0)); err != nil || a.Verdict != store.Replay || string(a.Record.Reply) != "paid" {
			t.Fatalf("key %d after the failover: %v, %v", n, a.Verdict, err)
		}
	}
}

// TestLimitLossyFailover shows what Redis cannot promise: a claim that was acknowledged, and that a stalled replica did not get, is granted a second time after the
// failover. So such a store refuses MarkUnknown unless its owner accepts that, and says so in Traits.
func TestLimitLossyFailover(t *testing.T) {
	t.Parallel() // it has a server of its own
	sentinel := redistest.OwnSentinel(t, redistest.Config{})
	strict := throughSentinel(t, sentinel, Config{})
	if !strict.Traits().LossyFailover {
		t.Error("Traits do not say that a failover is lossy")
	}
	who := identity("transfer", 0)
	if _, err := strict.Claim(t.Context(), claimOf(who, tokenOf(1))); !errors.Is(err, ErrLossyFailover) || !errors.Is(err, store.ErrUnsupported) {
		t.Errorf("a claim under MarkUnknown: %v", err)
	}
	if _, err := onceward.New(strict, onceward.Config{}); !errors.Is(err, onceward.ErrConfig) || !strings.Contains(err.Error(), "OnLapse = MarkUnknown") {
		t.Errorf("a guard under MarkUnknown: %v", err)
	}
	again := claimOf(identity("idempotent by itself", 0), tokenOf(1))
	again.Policy = store.Rerun
	if a, err := strict.Claim(t.Context(), again); err != nil || a.Verdict != store.Granted {
		t.Errorf("a claim under Rerun: %v, %v", a.Verdict, err)
	}

	lossy := throughSentinel(t, sentinel, Config{AllowLossyFailover: true})
	waits := throughSentinel(t, sentinel, Config{AllowLossyFailover: true, WaitReplicas: 1, Timeout: 2 * time.Second})
	for n, s := range []*Store{lossy, waits} { // connections that are made before the replica stalls
		if a, err := s.Claim(t.Context(), claimOf(identity(fmt.Sprint("before", n), 0), tokenOf(1))); err != nil || a.Verdict != store.Granted {
			t.Fatalf("before: %v, %v", a.Verdict, err)
		}
	}
	if err := sentinel.Replica.Freeze(); err != nil { // what it is sent now, it never reads
		t.Fatal(err)
	}
	talkWithoutReplica(t, sentinel)
	first, err := lossy.Claim(t.Context(), claimOf(who, tokenOf(2)))
	if err != nil || first.Verdict != store.Granted {
		t.Fatalf("the first claim: %v, %v", first.Verdict, err)
	}
	if a, err := waits.Claim(t.Context(), claimOf(identity("waited for", 0), tokenOf(3))); !errors.Is(err, ErrTooFewReplicas) {
		t.Errorf("a claim that no replica has, with WaitReplicas: %v, %v", a.Verdict, err)
	}
	if err := sentinel.Master.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := sentinel.Replica.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := sentinel.Promoted(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := claimAgain(t, lossy, who)
	if err != nil || second.Verdict != store.Granted {
		t.Fatalf("the second claim after the failover: %v, %v: if Redis has learned to keep it, say so in README.md and Traits", second.Verdict, err)
	}
	t.Log("the claim was granted twice, to two owners")
}

// talkWithoutReplica cuts the replica's connection at the master's end, so that what is written from here on is not even under way to it.
func talkWithoutReplica(t testing.TB, s *redistest.Sentinel) {
	t.Helper()
	talk(t, s.Master, "CLIENT", "KILL", "TYPE", "replica")
}

// TestSealWaitsForReplicas: with WaitReplicas a seal counts as done only when a replica has it, as a claim does.
func TestSealWaitsForReplicas(t *testing.T) {
	prefix := freshPrefix()
	alone := shared(t, Config{Prefix: prefix})
	if _, err := alone.Seal(t.Context(), "orders", 500); err != nil { // the server has the scripts
		t.Fatal(err)
	}
	s := shared(t, Config{Prefix: prefix, WaitReplicas: 1, Timeout: 500 * time.Millisecond})
	w, err := s.Seal(t.Context(), "orders", 1000)
	for range 5 { // on a busy machine the time is over before the server has said that nobody has it
		if errors.Is(err, context.DeadlineExceeded) {
			w, err = s.Seal(t.Context(), "orders", 1000)
		}
	}
	if !errors.Is(err, ErrTooFewReplicas) {
		t.Errorf("a seal that no replica has: %d, %v", w, err)
	}
}
