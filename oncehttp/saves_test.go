package oncehttp_test

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/onceward/onceward/store"
)

// savesNothing is a store whose completions fail until it is healed.
type savesNothing struct {
	store.Store
	healed atomic.Bool
}

func (s *savesNothing) heal() { s.healed.Store(true) }

func (s *savesNothing) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if q.Op == store.OpComplete && !s.healed.Load() {
		return store.Answer{}, errors.New("the connection broke")
	}
	return s.Store.Advance(ctx, q)
}
