package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

func clientOf(s *redistest.Server) rueidis.ClientOption {
	return rueidis.ClientOption{InitAddress: []string{s.Address()}}
}

func talk(t testing.TB, s *redistest.Server, command ...string) any {
	t.Helper()
	got, err := s.Talk(command...)
	if err != nil {
		t.Fatalf("%q: %v", command, err)
	}
	return got
}

// TestStoppedServer: a server that hangs is given up within the store's bound, and nothing is lost when it goes on.
func TestStoppedServer(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	const bound, most = 200 * time.Millisecond, 4 * time.Second // on a busy machine; less than the guard's own bound
	s := openAt(t, Config{Timeout: bound}, server.Address())
	g, err := onceward.New(s, onceward.Config{StoreTimeout: 6 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(context.Background())
	call := onceward.Call{Scope: onceward.Scope{Service: "orders", Principal: "alice"}, Key: key(t, "one"), Fingerprint: onceward.BytesFingerprint("text/plain", []byte("pay 5"))}
	runs := 0
	work := func(context.Context, onceward.Attempt) onceward.Outcome {
		runs++
		return onceward.Save(onceward.Reply{Status: 201})
	}
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		began := time.Now()
		_, err = g.Do(t.Context(), call, work)
		if !errors.Is(err, onceward.ErrStoreUnavailable) {
			t.Errorf("call %d at a hung server: %v", i, err)
		}
		if took := time.Since(began); took > most {
			t.Errorf("call %d took %v, the store's bound is %v", i, took, bound)
			break
		}
	}
	if err := server.Thaw(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; { // claims that were under way are released behind our back
		if _, err = g.Do(t.Context(), call, work); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil || runs != 1 {
		t.Errorf("after it went on: ran %d times, %v", runs, err)
	}
}

// TestStoppedServerAndManyCallers: also those are answered in time who find no connection, all at once, and whose own bound is far below the store's.
func TestStoppedServerAndManyCallers(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	const bound, most = 200 * time.Millisecond, 4 * time.Second // on a busy machine; less than the store's own bound
	s := openAt(t, Config{Timeout: 6 * time.Second}, server.Address())
	talk(t, server, "CLIENT", "KILL", "TYPE", "normal")
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer server.Thaw() // the store's Close would wait for it
	await(t, "the connection is seen to be cut", func() bool { return !s.connections.whole() })
	for range 2 {
		var all sync.WaitGroup
		for n := range uint64(50) {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				began := time.Now()
				if _, err := s.Claim(ctx, claimOf(identity(fmt.Sprint(n), 0), tokenOf(n))); err == nil {
					t.Error("claimed at a hung server")
				}
				if took := time.Since(began); took > most {
					t.Errorf("answered after %v, the caller's bound is %v", took, bound)
				}
			})
		}
		if all.Wait(); t.Failed() {
			break
		}
	}
}

// TestKill kills the server, which syncs each write, in the middle of work: what it acknowledged is there again, and nothing runs twice.
func TestKill(t *testing.T) {
	server := redistest.Own(t, redistest.Config{Durable: true})
	s := openAt(t, Config{Timeout: time.Second}, server.Address())
	if got := s.Traits(); got.Survives != store.SurvivesPowerLoss || len(got.Caveats) != 0 {
		t.Errorf("traits %+v", got)
	}
	acknowledged := make(chan uint64)
	var workers sync.WaitGroup
	for w := range uint64(8) {
		workers.Go(func() {
			for n := w; ; n += 8 {
				who := identity(fmt.Sprint(n), 0)
				if a, err := s.Claim(t.Context(), claimOf(who, tokenOf(n))); err != nil || a.Verdict != store.Granted {
					return
				}
				if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(n), "paid")); err != nil || a.Verdict != store.Applied {
					return
				}
				acknowledged <- n
			}
		})
	}
	var keys []uint64
	for len(keys) < 300 {
		keys = append(keys, <-acknowledged)
	}
	killed := make(chan error, 1)
	go func() {
		killed <- server.Kill()
		workers.Wait()
		close(acknowledged)
	}()
	for key := range acknowledged {
		keys = append(keys, key)
	}
	if err := <-killed; err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if a, err := claimAgain(t, s, identity(fmt.Sprint(key), 0)); err != nil || a.Verdict != store.Replay {
			t.Fatalf("key %d was acknowledged before the kill: %v, %v", key, a.Verdict, err)
		}
	}
	t.Logf("%d operations were acknowledged before the kill", len(keys))
}

// TestFullMemory: at maxmemory no claim is created, and everything else goes on, also at a process that starts.
func TestFullMemory(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	l := &life{T: t, Store: openAt(t, Config{movable: true}, server.Address())}
	open, done, lapsed, unknown, released := l.claimed(), l.done(), l.claimed(notStarted, briefly), l.unknown(), l.claimed(notStarted, briefly)
	late := l.claimed(notStarted)
	move(t, l.Store, time.Second)
	used, err := strconv.Atoi(parseInfo(talk(t, server, "INFO", "memory").(string))["used_memory"])
	if err != nil {
		t.Fatal(err)
	}
	talk(t, server, "CONFIG", "SET", "maxmemory", strconv.Itoa(used-50_000))

	claim := func(who store.Identity, token uint64) (store.Verdict, error) {
		a, err := l.Claim(t.Context(), claimOf(who, tokenOf(token)))
		return a.Verdict, err
	}
	for n := range uint64(20) {
		who := identity(fmt.Sprint("more", n), 0)
		if v, err := claim(who, 1000+n); !errors.Is(err, store.ErrFull) {
			t.Fatalf("a claim at maxmemory: %v, %v", v, err)
		}
		if _, err := l.Decide(t.Context(), store.DecideRequest{Identity: who, Token: tokenOf(1), Decision: store.Cancel}); !errors.Is(err, store.ErrFull) {
			t.Fatalf("a cancel at maxmemory: %v", err)
		}
		if a, err := l.Get(t.Context(), who); err != nil || a.Verdict != store.Absence {
			t.Fatalf("after it: %v, %v", a.Verdict, err)
		}
	}
	for name, c := range map[string]struct {
		who  store.Record
		want store.Verdict
	}{"replay": {done, store.Replay}, "in flight": {open, store.InFlight}, "unknown": {unknown, store.Unknown}, "takeover": {lapsed, store.TakenOver}} {
		if v, err := claim(c.who.Identity, 2000); err != nil || v != c.want {
			t.Errorf("%s at maxmemory: %v, %v", name, v, err)
		}
	}
	wants := func(name string, a store.Answer, err error) {
		t.Helper()
		if err != nil || a.Verdict != store.Applied {
			t.Errorf("%s at maxmemory: %v, %v", name, a.Verdict, err)
		}
	}
	a, err := l.Advance(t.Context(), completeOf(open.Identity, open.Token, strings.Repeat("r", 100_000)))
	wants("complete", a, err)
	a, err = l.Advance(t.Context(), store.AdvanceRequest{Identity: late.Identity, Token: late.Token, Op: store.OpRelease, ValidUntil: late.Lease})
	wants("release", a, err)
	a, err = l.Decide(t.Context(), store.DecideRequest{Identity: unknown.Identity, Token: tokenOf(3000), Decision: store.DidNotHappen, Version: unknown.Version, Actor: "ops", Reason: "r"})
	wants("resolve", a, err)
	a, err = l.Decide(t.Context(), store.DecideRequest{Identity: released.Identity, Token: tokenOf(3001), Decision: store.Cancel})
	wants("cancel of a lapsed claim", a, err)
	starting, err := New(t.Context(), clientOf(server), Config{movable: true})
	if err != nil {
		t.Fatalf("a process that starts at maxmemory: %v", err)
	}
	defer starting.Close()
	if a, err := starting.Claim(t.Context(), claimOf(done.Identity, tokenOf(3002))); err != nil || a.Verdict != store.Replay {
		t.Errorf("its replay: %v, %v", a.Verdict, err)
	}
}

// TestEviction: a server that may evict is refused when it is opened, and after every new connection.
func TestEviction(t *testing.T) {
	server := redistest.Own(t, redistest.Config{Lines: []string{"rename-command CONFIG hidden"}})
	for _, policy := range []string{"allkeys-lru", "volatile-ttl", "allkeys-random", "volatile-lfu"} {
		talk(t, server, "hidden", "SET", "maxmemory-policy", policy)
		if _, err := New(t.Context(), clientOf(server), Config{}); !errors.Is(err, ErrEviction) {
			t.Errorf("opened under %s: %v", policy, err)
		}
	}
	talk(t, server, "hidden", "SET", "maxmemory-policy", "noeviction")
	s := openAt(t, Config{}, server.Address())
	if c := s.Traits().Caveats; len(c) != 1 {
		t.Errorf("caveats %q", c)
	}
	talk(t, server, "hidden", "SET", "maxmemory-policy", "allkeys-lru")
	talk(t, server, "CLIENT", "KILL", "TYPE", "normal")
	var err error
	for range 20 { // the first may still find the old connection, or make the new one
		if _, err = s.Claim(t.Context(), claimOf(identity("k", 0), tokenOf(1))); errors.Is(err, ErrEviction) {
			break
		}
	}
	if !errors.Is(err, ErrEviction) {
		t.Errorf("a claim after reconnecting to a server that evicts: %v", err)
	}
	talk(t, server, "hidden", "SET", "maxmemory-policy", "noeviction")
	for range 20 { // a connection may have been killed that nobody had used since
		if _, err = s.Claim(t.Context(), claimOf(identity("k", 0), tokenOf(1))); err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("after it was set right: %v", err)
	}
}

// TestReplicaIsRefused: a store does not open on a replica, nor read from one that was its master.
func TestReplicaIsRefused(t *testing.T) {
	old, next := redistest.Own(t, redistest.Config{}), redistest.Own(t, redistest.Config{})
	l := &life{T: t, Store: openAt(t, Config{}, old.Address())}
	r := l.done()
	up := func(s *redistest.Server) func() bool {
		return func() bool {
			return parseInfo(talk(t, s, "INFO", "replication").(string))["master_link_status"] == "up"
		}
	}
	talk(t, next, "REPLICAOF", "127.0.0.1", old.Port())
	await(t, "the replica has everything", up(next))
	talk(t, next, "REPLICAOF", "NO", "ONE")
	talk(t, old, "REPLICAOF", "127.0.0.1", next.Port())
	await(t, "the other way round", up(old))
	if _, err := New(t.Context(), clientOf(old), Config{}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("opened: %v", err)
	}
	if a, err := l.Get(t.Context(), r.Identity); !errors.Is(err, ErrReadOnly) {
		t.Errorf("read from a replica: %v, %v", a.Verdict, err)
	}
	if who, err := l.Find(t.Context(), r.ID); !errors.Is(err, ErrReadOnly) {
		t.Errorf("found at a replica: %v, %v", who, err)
	}
	if a, err := l.Claim(t.Context(), claimOf(r.Identity, tokenOf(98))); !errors.Is(err, ErrReadOnly) {
		t.Errorf("replayed from a replica: %v, %v", a.Verdict, err)
	}
	looked := store.DecideRequest{Identity: r.Identity, Token: tokenOf(97), Decision: store.Cancel}
	if a, err := l.Decide(t.Context(), looked); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a decision answered by a replica: %v, %v", a.Verdict, err)
	}
	if a, err := l.Claim(t.Context(), claimOf(identity("new", 0), tokenOf(99))); !errors.Is(err, ErrReadOnly) {
		t.Errorf("claimed at a replica: %v, %v", a.Verdict, err)
	}
}

// claimAgain claims by a token of its own until the server answers: the first tries may find connections that are cut.
func claimAgain(t testing.TB, s *Store, who store.Identity) (a store.Answer, err error) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; {
		if a, err = s.Claim(t.Context(), claimOf(who, tokenOf(1<<50))); err == nil || time.Now().After(deadline) {
			return a, err
		}
	}
}
