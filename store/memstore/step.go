package memstore

import (
	"context"

	"github.com/onceward/onceward/store"
)

// Claim implements [store.Protocol].
func (s *Store) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	var h held
	env, err := s.open(ctx, &h, &q.Identity, q.Token)
	if err != nil {
		return store.Answer{}, err
	}
	defer h.shard.mu.Unlock()
	step := store.Claim(h.record, q, env)
	return s.write(&h, &step, q.Token, min(int64(q.Reserve), maxReserve))
}

// Advance implements [store.Protocol].
func (s *Store) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	var h held
	env, err := s.open(ctx, &h, &q.Identity, q.Token)
	if err != nil {
		return store.Answer{}, err
	}
	defer h.shard.mu.Unlock()
	step := store.Advance(h.record, q, env)
	return s.write(&h, &step, q.Token, 0)
}

// Decide implements [store.Desk].
func (s *Store) Decide(ctx context.Context, q store.DecideRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	var h held
	env, err := s.open(ctx, &h, &q.Identity, q.Token)
	if err != nil {
		return store.Answer{}, err
	}
	defer h.shard.mu.Unlock()
	step := store.Decide(h.record, q, env)
	return s.write(&h, &step, q.Token, 0)
}

// Get implements [store.Desk].
func (s *Store) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	if err := who.Validate(); err != nil {
		return store.Answer{}, err
	}
	var h held
	env, err := s.open(ctx, &h, &who, store.Token{})
	if err != nil {
		return store.Answer{}, err
	}
	defer h.shard.mu.Unlock()
	return store.Read(h.record, who, env), nil
}

// Find implements [store.Finder].
func (s *Store) Find(ctx context.Context, id store.ID) (store.Identity, error) {
	sh, hash, err := s.enter(ctx, id)
	if err != nil {
		return store.Identity{}, err
	}
	defer sh.mu.Unlock()
	var h held
	if err := h.load(sh, hash, &store.Identity{ID: id}); err != nil {
		return store.Identity{}, err
	}
	return h.record.Identity, nil
}

// open locks the shard and reads what a transition reads: until the caller unlocks it, that is one moment for all who ask for that record. After an
// error nothing is locked.
func (s *Store) open(ctx context.Context, h *held, who *store.Identity, t store.Token) (store.Env, error) {
	sh, hash, err := s.enter(ctx, who.ID)
	if err != nil {
		return store.Env{}, err
	}
	if err := h.load(sh, hash, who); err != nil {
		sh.mu.Unlock()
		return store.Env{}, err
	}
	h.service = sh.service(who.Service)
	env := store.Env{Now: s.clock.now(), Watermark: h.service.watermark}
	env.Dead = sh.marks.alive(who.ID, t, env.Now)
	return env, nil
}

// write carries out the step, whole or not at all: only the record can be refused, and it comes first.
func (s *Store) write(h *held, step *store.Step, t store.Token, reserve int64) (store.Answer, error) {
	switch step.Write {
	case store.Put:
		if err := s.put(h, step, reserve); err != nil {
			return store.Answer{}, err
		}
	case store.Remove:
		s.drop(h)
	}
	if step.Mark != 0 {
		s.mark(h, step, t)
	}
	if step.Entry != nil {
		s.trail.append(*step.Entry)
	}
	if step.Write != store.Keep && step.Answer.Record.Version != h.record.Version {
		h.shard.wake(h.id)
	}
	return step.Answer, nil
}

// mark notes that the token is dead, and forgets some marks that are over: a shard that sees many releases
// does not depend on Purge to stay small.
func (s *Store) mark(h *held, step *store.Step, t store.Token) {
	m, now := &h.shard.marks, step.Answer.Now
	n := -m.expire(now, 2)
	n += m.add(h.id, t, step.Mark)
	s.room.give(0, n*markOverhead)
}
