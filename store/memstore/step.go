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
	return s.step(ctx, &q.Identity, q.Token, min(int64(q.Reserve), maxReserve), func(r store.Record, env store.Env) store.Step {
		return store.Claim(r, q, env)
	})
}

// Advance implements [store.Protocol].
func (s *Store) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	return s.step(ctx, &q.Identity, q.Token, 0, func(r store.Record, env store.Env) store.Step {
		return store.Advance(r, q, env)
	})
}

// Decide implements [store.Desk].
func (s *Store) Decide(ctx context.Context, q store.DecideRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	return s.step(ctx, &q.Identity, q.Token, 0, func(r store.Record, env store.Env) store.Step {
		return store.Decide(r, q, env)
	})
}

// step reads, decides and writes under the shard's lock: one moment for all who ask for that record.
func (s *Store) step(ctx context.Context, who *store.Identity, t store.Token, reserve int64, decide func(store.Record, store.Env) store.Step) (store.Answer, error) {
	sh, hash, err := s.enter(ctx, who.ID)
	if err != nil {
		return store.Answer{}, err
	}
	defer sh.mu.Unlock()
	h, env, err := s.load(sh, hash, *who, t)
	if err != nil {
		return store.Answer{}, err
	}
	step := decide(h.record, env)
	return s.write(&h, &step, t, reserve)
}

// Get implements [store.Desk].
func (s *Store) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	if err := who.Validate(); err != nil {
		return store.Answer{}, err
	}
	sh, hash, err := s.enter(ctx, who.ID)
	if err != nil {
		return store.Answer{}, err
	}
	defer sh.mu.Unlock()
	h, env, err := s.load(sh, hash, who, store.Token{})
	if err != nil {
		return store.Answer{}, err
	}
	return store.Read(h.record, who, env), nil
}

// load reads what a transition reads. The shard is locked.
func (s *Store) load(sh *shard, hash uint64, who store.Identity, t store.Token) (held, store.Env, error) {
	h, err := sh.load(hash, who.ID)
	if err != nil {
		return held{}, store.Env{}, err
	}
	h.service = sh.service(who.Service)
	env := store.Env{Now: s.clock.now(), Watermark: h.service.watermark}
	env.Dead = sh.marks.alive(who.ID, t, env.Now)
	return h, env, nil
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
