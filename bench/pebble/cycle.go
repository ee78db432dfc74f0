package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/onceward/onceward/store"
)

const (
	replySize = 1024
	window    = 24 * time.Hour
	guard     = 5 * time.Minute
)

// numbered is an identity as an HTTP service has them, but for the hash.
func numbered(i uint64, stamp store.Time) store.Identity {
	who := store.Identity{Service: "orders", Principal: "alice", Key: fmt.Sprintf("once_01jq0123456789abcd%010d", i), Stamp: stamp}
	rng := rand.New(rand.NewPCG(i, 1))
	for at := 0; at < len(who.ID); at += 8 {
		binary.LittleEndian.PutUint64(who.ID[at:], rng.Uint64())
	}
	return who
}

// noise is a reply that nothing makes smaller.
var noise = func() []byte {
	b := make([]byte, 1<<20)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(b)
	return b
}()

func replyOf(i uint64) []byte {
	at := i * 7919 % uint64(len(noise)-replySize)
	return noise[at : at+replySize]
}

// cycle claims an operation straight into Started and completes it: what a guard does for a new key.
func cycle(s store.Store, i uint64, stamp store.Time) error {
	ctx, who := context.Background(), numbered(i, stamp)
	var token store.Token
	copy(token[:], who.ID[:])
	a, err := s.Claim(ctx, store.ClaimRequest{
		Identity: who, Token: token, Fingerprints: []store.Fingerprint{{Version: 1, Sum: who.ID}}, Start: true, Lease: 30 * time.Second,
		Window: window, Guard: guard, Reserve: 16 << 10,
	})
	if err != nil || a.Verdict != store.Granted {
		return fmt.Errorf("claim %d: %v, %w", i, a.Verdict, err)
	}
	a, err = s.Advance(ctx, store.AdvanceRequest{Identity: who, Token: token, Op: store.OpComplete, End: store.EndReply, Reply: replyOf(i), Window: window, Guard: guard})
	if err != nil || a.Verdict != store.Applied {
		return fmt.Errorf("complete %d: %v, %w", i, a.Verdict, err)
	}
	return nil
}

// claimSize and doneSize are what a record of such a cycle takes in the store's encoding.
var claimSize, doneSize = func() (int, int) {
	r := store.Record{Identity: numbered(1, 1), Fingerprint: store.Fingerprint{Version: 1}, State: store.Started, FirstSeen: 1, Lease: 30_000, Version: 1 << 50}
	open := len(store.AppendRecord(nil, r))
	return open, open + replySize
}()

// logCycle is the same for the bare log: both entries are durable before it returns.
func logCycle(l *log, i uint64) error {
	if err := l.append(noise[:claimSize]); err != nil {
		return err
	}
	at := i * 7919 % uint64(len(noise)-doneSize)
	return l.append(noise[at : at+uint64(doneSize)])
}
