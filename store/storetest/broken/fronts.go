package broken

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/onceward/onceward/store"
)

// fronts are wrong in what they put in front of a right store: a cache, a replica, a check of their own.
var fronts = []Store{
	{Name: "unknown ones are counted as started", Clause: "X2", Front: func(s store.Store) store.Store { return coarseCount{s} }},
	{Name: "reads show another clock", Clause: "X4", Front: func(s store.Store) store.Store { return slowReplica{s} }},
	{Name: "a closed store goes on answering", Clause: "X5", Front: func(s store.Store) store.Store { return undead{s} }},
	{Name: "a full store refuses to complete", Clause: "A11", Front: func(s store.Store) store.Store { return stuffed{s} }},
	{Name: "whoever waits for an absent record sleeps", Clause: "W1", Front: func(s store.Store) store.Store { return patient{s} }},
	{Name: "a full store says that it has cancelled", Clause: "D7", Front: func(s store.Store) store.Store { return sanguine{s} }},
	{Name: "reads come from a cache", Clause: "G1", Front: func(s store.Store) store.Store { return &cached{Store: s, seen: map[store.ID]store.Answer{}} }},
	{Name: "a listing loses a record at each page's end", Clause: "L1", Front: func(s store.Store) store.Store { return lossyPages{s} }},
	{Name: "done ones are not found by their id", Clause: "F1", Front: func(s store.Store) store.Store { return shortMemory{s} }},
	{Name: "done is listed although it says no", Clause: "L2", Front: func(s store.Store) store.Store { return denies{s} }},
	{Name: "sealed records are hidden", Clause: "S2", Front: func(s store.Store) store.Store { return hides{s} }},
	{Name: "purge trusts its clock", Clause: "P3", Front: func(s store.Store) store.Store { return trusting{s} }},
}

type coarseCount struct{ store.Store }

func (s coarseCount) Stats(ctx context.Context, service string) (store.Stats, error) {
	n, err := s.Store.Stats(ctx, service)
	n.Started, n.Unknown, n.OldestUnknown = n.Started+n.Unknown, 0, 0
	return n, err
}

type slowReplica struct{ store.Store }

func (s slowReplica) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	a, err := s.Store.Get(ctx, who)
	a.Now -= 1000
	return a, err
}

type undead struct{ store.Store }

func (s undead) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	a, err := s.Store.Get(ctx, who)
	if errors.Is(err, store.ErrClosed) {
		return store.Answer{Verdict: store.Absence}, nil
	}
	return a, err
}

type stuffed struct{ store.Store }

func (s stuffed) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	n, err := s.Stats(ctx, "")
	if total := n.Claimed + n.Started + n.Unknown + n.Done; err == nil && q.Op == store.OpComplete && n.MaxRecords > 0 && total >= n.MaxRecords {
		return store.Answer{}, store.ErrFull
	}
	return s.Store.Advance(ctx, q)
}

type patient struct{ store.Store }

func (s patient) Wait(ctx context.Context, who store.Identity, version uint64) error {
	if a, err := s.Get(ctx, who); err == nil && a.Record.State == store.Absent {
		const most = 50 * time.Millisecond
		ctx, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	return s.Store.Wait(ctx, who, version)
}

type sanguine struct{ store.Store }

func (s sanguine) Decide(ctx context.Context, q store.DecideRequest) (store.Answer, error) {
	a, err := s.Store.Decide(ctx, q)
	if errors.Is(err, store.ErrFull) {
		return store.Answer{Verdict: store.Applied}, nil
	}
	return a, err
}

// cached answers a second read as the first, until the process itself has seen a step of the record.
type cached struct {
	store.Store
	mu   sync.Mutex
	seen map[store.ID]store.Answer
}

func (s *cached) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.Store.Get(ctx, who)
	if old, known := s.seen[who.ID]; known && err == nil && old.Record.Version != a.Record.Version {
		delete(s.seen, who.ID)
		a.Record, a.Verdict = old.Record, old.Verdict
		return a, nil
	}
	if err == nil {
		s.seen[who.ID] = a
	}
	return a, err
}

type lossyPages struct{ store.Store }

func (s lossyPages) List(ctx context.Context, q store.ListRequest) (store.Page, error) {
	p, err := s.Store.List(ctx, q)
	if p.Next != "" && len(p.Records) > 1 {
		p.Records = p.Records[:len(p.Records)-1]
	}
	return p, err
}

type shortMemory struct{ store.Store }

func (s shortMemory) Find(ctx context.Context, id store.ID) (store.Identity, error) {
	who, err := s.Store.(store.Finder).Find(ctx, id)
	if a, err := s.Get(ctx, who); err == nil && a.Verdict == store.Replay {
		return store.Identity{}, nil
	}
	return who, err
}

type denies struct{ store.Store }

func (s denies) Traits() store.Traits {
	t := s.Store.Traits()
	t.ListsDone = false
	return t
}

type hides struct{ store.Store }

func (s hides) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	a, err := s.Store.Get(ctx, who)
	if who.Stamp != 0 && who.Stamp <= a.Watermark {
		a.Verdict, a.Record = store.Expired, store.Record{}
	}
	return a, err
}

type trusting struct{ store.Store }

func (s trusting) Purge(ctx context.Context, q store.PurgeRequest) (store.PurgeResult, error) {
	q.Expect = 0
	return s.Store.Purge(ctx, q)
}
