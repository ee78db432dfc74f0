package storetest

import (
	"bytes"
	"context"

	"github.com/onceward/onceward/store"
)

// enter locks the store for one call, or says why not.
func (r *Reference) enter(ctx context.Context) (now store.Time, err error) {
	r.mu.Lock()
	switch {
	case r.closed:
		err = store.ErrClosed
	default:
		err = ctx.Err()
	}
	if err != nil {
		r.mu.Unlock()
		return 0, err
	}
	r.disk.last = r.cfg.Rules.Now(r.disk.last, store.TimeOf(r.cfg.Clock())) // X4: it never goes back
	return r.disk.last, nil
}

// Claim implements [store.Store].
func (r *Reference) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	return r.step(ctx, q.Identity, q.Token, r.cfg.Rules.ClaimGap, func(have store.Record, env store.Env) store.Step {
		return r.cfg.Rules.Claim(have, q, env)
	})
}

// Advance implements [store.Store].
func (r *Reference) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	return r.step(ctx, q.Identity, q.Token, r.cfg.Rules.StepGap, func(have store.Record, env store.Env) store.Step {
		return r.cfg.Rules.Advance(have, q, env)
	})
}

// Decide implements [store.Store].
func (r *Reference) Decide(ctx context.Context, q store.DecideRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	return r.step(ctx, q.Identity, q.Token, r.cfg.Rules.StepGap, func(have store.Record, env store.Env) store.Step {
		return r.cfg.Rules.Decide(have, q, env)
	})
}

// Get implements [store.Store].
func (r *Reference) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	if err := who.Validate(); err != nil {
		return store.Answer{}, err
	}
	now, err := r.enter(ctx)
	if err != nil {
		return store.Answer{}, err
	}
	defer r.mu.Unlock()
	return store.Read(r.disk.records[who.ID], who, r.disk.env(who, store.Token{}, now)), nil
}

// Find implements [store.Finder].
func (r *Reference) Find(ctx context.Context, id store.ID) (store.Identity, error) {
	if _, err := r.enter(ctx); err != nil {
		return store.Identity{}, err
	}
	defer r.mu.Unlock()
	return r.disk.records[id].Identity, nil
}

// step is load, decide, write under one lock: X1.
func (r *Reference) step(
	ctx context.Context, who store.Identity, token store.Token, gap func(unlock, lock func()), decide func(store.Record, store.Env) store.Step,
) (store.Answer, error) {
	now, err := r.enter(ctx)
	if err != nil {
		return store.Answer{}, err
	}
	defer r.mu.Unlock()
	have := r.disk.records[who.ID]
	s := decide(have, r.disk.env(who, token, now))
	gap(r.mu.Unlock, r.mu.Lock)
	if s.Write == store.Put && have.State == store.Absent && !r.room() {
		return store.Answer{}, store.ErrFull
	}
	r.disk.write(who, token, s, r.cfg.Rules.Mark)
	r.wake()
	s.Answer.Record.Reply = bytes.Clone(s.Answer.Record.Reply) // the caller's slice is the caller's
	return s.Answer, nil
}

// room says whether one more record may be created.
func (r *Reference) room() bool {
	if r.cfg.MaxRecords == 0 || len(r.disk.records) < r.cfg.MaxRecords {
		return true
	}
	if !r.cfg.Rules.Evict {
		return false
	}
	for id := range r.disk.records {
		delete(r.disk.records, id)
		return true
	}
	return false
}

func (r *Reference) wake() {
	if !r.cfg.Rules.Deaf {
		close(r.disk.changed)
		r.disk.changed = make(chan struct{})
	}
}

// Wait implements [store.Store].
func (r *Reference) Wait(ctx context.Context, who store.Identity, version uint64) error {
	for {
		if _, err := r.enter(ctx); err != nil {
			return err
		}
		have, changed := r.disk.records[who.ID], r.disk.changed
		r.mu.Unlock()
		if have.State == store.Absent || have.Version != version {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
