package memstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

const (
	lease  = time.Minute
	window = time.Hour
	guard  = time.Minute
)

// fakeClock stands still until it is moved. The zero value shows epoch.
type fakeClock struct{ passed atomic.Int64 }

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (c *fakeClock) now() time.Time       { return epoch.Add(time.Duration(c.passed.Load())) }
func (c *fakeClock) pass(d time.Duration) { c.passed.Add(int64(d)) }

// bench is a store with a clock of its own and the calls that the tests make.
type bench struct {
	testing.TB
	*Store
	clock fakeClock
	last  atomic.Uint64
}

func open(t testing.TB, c Config) *bench {
	t.Helper()
	b := &bench{TB: t}
	if c.Clock == nil {
		c.Clock = b.clock.now
	}
	b.Store = New(c)
	t.Cleanup(func() { _ = b.Store.Close() })
	return b
}

func (b *bench) token() store.Token {
	var t store.Token
	binary.BigEndian.PutUint64(t[:], b.last.Add(1))
	return t
}

func key(name string, stamp store.Time) store.Identity {
	return store.Identity{ID: sha256.Sum256([]byte(name)), Service: "orders", Principal: "alice", Key: name, Stamp: stamp}
}

func claimOf(who store.Identity, t store.Token) store.ClaimRequest {
	return store.ClaimRequest{
		Identity: who, Token: t, Start: true, Lease: lease, Window: window, Guard: guard, Reserve: 1024,
		Fingerprints: []store.Fingerprint{{Version: 1, Sum: [32]byte{1}}},
	}
}

func completeOf(who store.Identity, t store.Token, reply []byte) store.AdvanceRequest {
	q := store.AdvanceRequest{
		Identity: who, Token: t, Op: store.OpComplete, End: store.EndReply, Reply: reply, Window: window, Guard: guard,
	}
	if reply == nil {
		q.End = store.EndReplyNotKept
	}
	return q
}

func (b *bench) claim(who store.Identity, want store.Verdict) store.Token {
	b.Helper()
	t := b.token()
	a, err := b.Claim(context.Background(), claimOf(who, t))
	if err != nil || a.Verdict != want {
		b.Fatalf("claim of %s: %v, %v; want %v", who.Key, a.Verdict, err, want)
	}
	return t
}

func (b *bench) complete(who store.Identity, t store.Token, reply []byte) {
	b.Helper()
	a, err := b.Advance(context.Background(), completeOf(who, t, reply))
	if err != nil || a.Verdict != store.Applied {
		b.Fatalf("complete of %s: %v, %v", who.Key, a.Verdict, err)
	}
}

func (b *bench) finish(who store.Identity, reply []byte) store.Token {
	b.Helper()
	token := b.claim(who, store.Granted)
	b.complete(who, token, reply)
	return token
}

func (b *bench) release(who store.Identity, t store.Token, until store.Time) {
	b.Helper()
	q := store.AdvanceRequest{Identity: who, Token: t, Op: store.OpRelease, ValidUntil: until}
	if _, err := b.Advance(context.Background(), q); err != nil {
		b.Fatalf("release of %s: %v", who.Key, err)
	}
}

func (b *bench) purge(limit int) store.PurgeResult {
	b.Helper()
	res, err := b.Purge(context.Background(), store.PurgeRequest{Limit: limit})
	if err != nil {
		b.Fatalf("purge: %v", err)
	}
	return res
}

func (b *bench) stats(service string) store.Stats {
	b.Helper()
	st, err := b.Stats(context.Background(), service)
	if err != nil {
		b.Fatalf("stats: %v", err)
	}
	return st
}

func (b *bench) now() store.Time { return store.TimeOf(b.clock.now()) }
