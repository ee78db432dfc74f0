package redisstore

import (
	"context"
	"crypto/sha256"
	"errors"
	options "flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(serverOf); address != "" {
		if err := process(address); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	options.Parse()
	_ = options.Set("test.parallel", "6") // what is parallel here waits for servers, not for processors
	os.Exit(redistest.Main(m))
}

// prefixes counts the stores of this process's tests: each has keys of its own on a server that they share.
var prefixes atomic.Int64

func freshPrefix() string { return fmt.Sprintf("t%d", prefixes.Add(1)) }

// move sets the clock of a store whose clock is movable forward, or back. The offset is there again after a restart.
func move(t testing.TB, s *Store, d time.Duration) {
	t.Helper()
	for _, tag := range s.tags {
		if err := s.client.Do(context.Background(), s.client.B().Incrby().Key(tag+offsetSuffix).Increment(d.Milliseconds()).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
}

func openAt(t testing.TB, c Config, addresses ...string) *Store {
	t.Helper()
	s, err := opened(t, rueidis.ClientOption{InitAddress: addresses}, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// opened opens a store whose bound may be so short that a busy machine exceeds it.
func opened(t testing.TB, o rueidis.ClientOption, c Config) (s *Store, err error) {
	for range 3 {
		if s, err = New(t.Context(), o, c); !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// shared is a store with keys of its own on the shared server. It admits keys from before the test.
func shared(t testing.TB, c Config) *Store {
	t.Helper()
	if c.Prefix == "" {
		c.Prefix = freshPrefix()
	}
	c.unsealed = true
	return openAt(t, c, redistest.Shared(t).Address())
}

// What tests send.

func identity(key string, stamp store.Time) store.Identity {
	return store.Identity{ID: sha256.Sum256([]byte(key)), Service: "orders", Principal: "alice", Key: key, Stamp: stamp}
}

func tokenOf(n uint64) (t store.Token) {
	sum := sha256.Sum256(fmt.Append(nil, n))
	copy(t[:], sum[:])
	return t
}

func claimOf(who store.Identity, t store.Token) store.ClaimRequest {
	return store.ClaimRequest{Identity: who, Token: t, Lease: time.Hour, Window: 24 * time.Hour, Guard: time.Minute, Start: true}
}

func completeOf(who store.Identity, t store.Token, reply string) store.AdvanceRequest {
	return store.AdvanceRequest{Identity: who, Token: t, Op: store.OpComplete, End: store.EndReply, Reply: []byte(reply), Window: 24 * time.Hour, Guard: time.Minute}
}

func key(t testing.TB, text string) onceward.Key {
	t.Helper()
	k, err := onceward.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
