package ours

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/onceward/onceward/store"
)

// switched is a store that can be taken away.
type switched struct {
	store.Store
	down atomic.Bool
}

var errDown = errors.New("connection refused")

func (s *switched) switchTo(up bool) { s.down.Store(!up) }

func (s *switched) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if s.down.Load() {
		return store.Answer{}, errDown
	}
	return s.Store.Claim(ctx, q)
}

func (s *switched) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if s.down.Load() {
		return store.Answer{}, errDown
	}
	return s.Store.Advance(ctx, q)
}

func (s *switched) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	if s.down.Load() {
		return store.Answer{}, errDown
	}
	return s.Store.Get(ctx, who)
}
