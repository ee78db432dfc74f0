package pebblestore

import (
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward/store"
)

// Claim implements [store.Protocol].
func (s *Store) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	keep := keeping{q.Window, q.Guard, min(int64(q.Reserve), maxReserve)}
	return s.step(ctx, &q.Identity, q.Token, true, keep, func(r store.Record, env store.Env) store.Step { return store.Claim(r, q, env) })
}

// Advance implements [store.Protocol].
func (s *Store) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	return s.step(ctx, &q.Identity, q.Token, false, keeping{q.Window, q.Guard, 0}, func(r store.Record, env store.Env) store.Step { return store.Advance(r, q, env) })
}

// Decide implements [store.Desk].
func (s *Store) Decide(ctx context.Context, q store.DecideRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	return s.step(ctx, &q.Identity, q.Token, true, keeping{q.Window, q.Guard, 0}, func(r store.Record, env store.Env) store.Step { return store.Decide(r, q, env) })
}

// step carries out what decide says of the record. If there is no room for that in memory yet, it waits with nothing locked and asks again.
func (s *Store) step(ctx context.Context, who *store.Identity, t store.Token, makes bool, keep keeping, decide func(store.Record, store.Env) store.Step) (store.Answer, error) {
	for {
		a, err := s.stepOnce(ctx, who, t, makes, keep, decide)
		if err == nil || !errors.Is(err, errBacklog) {
			return a, err
		}
		s.config.reach("backlog")
		if err := s.backlog.wait(ctx); err != nil {
			return store.Answer{}, err
		}
	}
}

func (s *Store) stepOnce(ctx context.Context, who *store.Identity, t store.Token, makes bool, keep keeping, decide func(store.Record, store.Env) store.Step) (store.Answer, error) {
	var h held
	env, err := s.open(ctx, &h, who, t, makes)
	if err != nil {
		return store.Answer{}, err
	}
	defer h.close()
	step := decide(h.record, env)
	return h.write(&step, t, keep)
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
