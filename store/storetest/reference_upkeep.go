package storetest

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/onceward/onceward/store"
)

// Seal implements [store.Store].
func (r *Reference) Seal(ctx context.Context, service string, until store.Time) (store.Time, error) {
	if err := store.ValidateSeal(service, until); err != nil {
		return 0, err
	}
	if _, err := r.enter(ctx); err != nil {
		return 0, err
	}
	defer r.mu.Unlock()
	r.disk.sealed[service] = r.cfg.Rules.Raise(r.disk.sealed[service], until)
	return r.disk.sealed[service], nil
}

// Purge implements [store.Store].
func (r *Reference) Purge(ctx context.Context, q store.PurgeRequest) (store.PurgeResult, error) {
	if err := q.Validate(); err != nil {
		return store.PurgeResult{}, err
	}
	now, err := r.enter(ctx)
	if err != nil {
		return store.PurgeResult{}, err
	}
	defer r.mu.Unlock()
	if q.Expect != 0 && max(now.Sub(q.Expect), q.Expect.Sub(now)) > q.Tolerance {
		return store.PurgeResult{}, store.ErrClock
	}
	over := r.disk.purgeable(now, r.cfg.Rules.Purgeable)
	more := len(over) > q.Limit
	if more {
		over = over[:q.Limit]
	}
	if r.cfg.Rules.PurgeGap != nil {
		r.remove(over)
		r.cfg.Rules.PurgeGap(r.mu.Unlock, r.mu.Lock)
		r.sealFor(over, now)
	} else {
		r.sealFor(over, now)
		r.remove(over)
	}
	for token, until := range r.disk.marks {
		if r.cfg.Rules.Forget(until, now) {
			delete(r.disk.marks, token)
		}
	}
	return store.PurgeResult{Removed: len(over), More: more, Now: now}, nil
}

// sealFor makes the keys of the records inadmissible for ever.
func (r *Reference) sealFor(over []store.Record, now store.Time) {
	for _, gone := range over {
		if gone.Stamp != 0 {
			r.disk.sealed[gone.Service] = max(r.disk.sealed[gone.Service], r.cfg.Rules.SealTo(gone.Stamp, now))
		}
	}
}

func (r *Reference) remove(over []store.Record) {
	for _, gone := range over {
		delete(r.disk.records, gone.ID)
	}
	r.wake()
}

// List implements [store.Store]. A cursor is the place after which the next page begins.
func (r *Reference) List(ctx context.Context, q store.ListRequest) (store.Page, error) {
	if err := q.Validate(); err != nil {
		return store.Page{}, err
	}
	if _, err := hex.DecodeString(q.Cursor); err != nil {
		return store.Page{}, fmt.Errorf("%w: the cursor is not one of this store's", store.ErrInvalid)
	}
	now, err := r.enter(ctx)
	if err != nil {
		return store.Page{}, err
	}
	defer r.mu.Unlock()
	if q.Class == store.ClassDone && !r.cfg.Traits.ListsDone {
		return store.Page{}, store.ErrUnsupported
	}
	p := store.Page{Now: now}
	for _, have := range r.disk.class(q.Class, now) {
		switch {
		case q.Service != "" && q.Service != have.Service, q.Principal != "" && q.Principal != have.Principal,
			q.Before != 0 && have.FirstSeen >= q.Before, place(have) <= q.Cursor:
			continue
		case len(p.Records) == q.Limit:
			p.Next = place(p.Records[q.Limit-1])
			return p, nil
		}
		have.Reply = nil
		p.Records = append(p.Records, have)
	}
	return p, nil
}

// place sorts like [older].
func place(r store.Record) string {
	return hex.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(when(r))), r.ID[:]...))
}

// Trail implements [store.Store]. A cursor is the number of entries before the next page.
func (r *Reference) Trail(ctx context.Context, q store.TrailRequest) (store.TrailPage, error) {
	if err := q.Validate(); err != nil {
		return store.TrailPage{}, err
	}
	if _, err := r.enter(ctx); err != nil {
		return store.TrailPage{}, err
	}
	defer r.mu.Unlock()
	from, err := strconv.Atoi("0" + q.Cursor)
	if err != nil || from > len(r.disk.trail) {
		return store.TrailPage{}, fmt.Errorf("%w: the cursor is not one of this store's", store.ErrInvalid)
	}
	var p store.TrailPage
	for i, e := range r.disk.trail[from:] {
		switch {
		case q.ID != store.ID{} && q.ID != e.Who.ID:
			continue
		case len(p.Entries) == q.Limit:
			p.Next = strconv.Itoa(from + i)
			return p, nil
		}
		p.Entries = append(p.Entries, e)
	}
	return p, nil
}

// Stats implements [store.Store].
func (r *Reference) Stats(ctx context.Context, service string) (store.Stats, error) {
	now, err := r.enter(ctx)
	if err != nil {
		return store.Stats{}, err
	}
	defer r.mu.Unlock()
	s := r.disk.count(service, now)
	s.MaxRecords = int64(r.cfg.MaxRecords)
	return s, nil
}

// Traits implements [store.Store].
func (r *Reference) Traits() store.Traits { return r.cfg.Traits }

// Close implements [store.Store].
func (r *Reference) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.disk.changed)
		r.disk.changed = make(chan struct{})
	}
	return nil
}
