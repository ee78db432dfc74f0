package pebblestore

import (
	"context"
	"time"

	"github.com/onceward/onceward/store"
)

// Claim implements [store.Protocol].
func (s *Store) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	var h held
	env, err := s.open(ctx, &h, &q.Identity, q.Token, true)
	if err != nil {
		return store.Answer{}, err
	}
	defer h.close()
	step := store.Claim(h.record, q, env)
	return h.write(&step, q.Token, keeping{q.Window, q.Guard, min(int64(q.Reserve), maxReserve)})
}

// Advance implements [store.Protocol].
func (s *Store) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	var h held
	env, err := s.open(ctx, &h, &q.Identity, q.Token, false)
	if err != nil {
		return store.Answer{}, err
	}
	defer h.close()
	step := store.Advance(h.record, q, env)
	return h.write(&step, q.Token, keeping{q.Window, q.Guard, 0})
}

// Decide implements [store.Desk].
func (s *Store) Decide(ctx context.Context, q store.DecideRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	var h held
	env, err := s.open(ctx, &h, &q.Identity, q.Token, true)
	if err != nil {
		return store.Answer{}, err
	}
	defer h.close()
	step := store.Decide(h.record, q, env)
	return h.write(&step, q.Token, keeping{q.Window, q.Guard, 0})
}

// Get implements [store.Desk].
func (s *Store) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	if err := who.Validate(); err != nil {
		return store.Answer{}, err
	}
	var h held
	env, err := s.open(ctx, &h, &who, store.Token{}, false)
	if err != nil {
		return store.Answer{}, err
	}
	defer h.close()
	return store.Read(h.record, who, env), nil
}

// keeping is what a request says of keeping its record.
type keeping struct {
	window, guard time.Duration
	reserve       int64
}
