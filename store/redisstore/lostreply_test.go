package redisstore

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// life is a store with records in every state that a call may find.
type life struct {
	*testing.T
	*Store
	n uint64
}

func (l *life) claimed(change ...func(*store.ClaimRequest)) store.Record {
	l.Helper()
	l.n++
	q := claimOf(identity("k"+string(rune('a'+l.n)), 0), tokenOf(l.n))
	for _, f := range change {
		f(&q)
	}
	a, err := l.Claim(l.Context(), q)
	if err != nil || a.Verdict != store.Granted {
		l.Fatalf("claim: %v, %v", a.Verdict, err)
	}
	return a.Record
}

func notStarted(q *store.ClaimRequest) { q.Start = false }
func briefly(q *store.ClaimRequest)    { q.Lease = time.Millisecond }

func (l *life) unknown() store.Record {
	l.Helper()
	r := l.claimed(briefly)
	move(l, l.Store, time.Second)
	return r
}

func (l *life) done() store.Record {
	l.Helper()
	r := l.claimed()
	a, err := l.Advance(l.Context(), completeOf(r.Identity, r.Token, "paid"))
	if err != nil || a.Verdict != store.Applied {
		l.Fatalf("complete: %v, %v", a.Verdict, err)
	}
	return a.Record
}

// call is one call on the store, which can be made again with the same arguments.
type call struct {
	name   string
	script func(scripts) script
	make   func(*life) func(context.Context) (any, error) // prepares, and returns the call
	entry  bool                                           // it leaves an entry in the trail
}

func advance(op store.Op, change ...func(*store.ClaimRequest)) func(*life) func(context.Context) (any, error) {
	return func(l *life) func(context.Context) (any, error) {
		r := l.claimed(change...)
		q := store.AdvanceRequest{Identity: r.Identity, Token: r.Token, Op: op}
		switch op {
		case store.OpComplete:
			q = completeOf(r.Identity, r.Token, "paid")
		case store.OpStart, store.OpExtend:
			q.Lease = time.Hour
		case store.OpRelease:
			q.ValidUntil = r.FirstSeen.Add(time.Hour)
		}
		return func(ctx context.Context) (any, error) { a, err := l.Advance(ctx, q); return a.Verdict, err }
	}
}

func decide(d store.Decision) func(*life) func(context.Context) (any, error) {
	return func(l *life) func(context.Context) (any, error) {
		r := store.Record{Identity: identity("nobody's", 0)}
		switch d {
		case store.Happened, store.DidNotHappen:
			r = l.unknown()
		case store.ReleaseClaim:
			r = l.claimed(notStarted, briefly)
			move(l, l.Store, time.Second)
		}
		l.n++
		q := store.DecideRequest{Identity: r.Identity, Token: tokenOf(l.n), Decision: d, Version: r.Version, Actor: "ops", Reason: "why not"}
		return func(ctx context.Context) (any, error) { a, err := l.Decide(ctx, q); return a.Verdict, err }
	}
}

var calls = []call{
	{"Claim", func(x scripts) script { return x.claim }, func(l *life) func(context.Context) (any, error) {
		q := claimOf(identity("new", 0), tokenOf(999))
		return func(ctx context.Context) (any, error) { a, err := l.Claim(ctx, q); return a.Verdict, err }
	}, false},
	{"Claim, takeover", func(x scripts) script { return x.claim }, func(l *life) func(context.Context) (any, error) {
		r := l.claimed(notStarted, briefly)
		move(l, l.Store, time.Second)
		q := claimOf(r.Identity, tokenOf(999))
		return func(ctx context.Context) (any, error) { a, err := l.Claim(ctx, q); return a.Record, err }
	}, false},
	{"start", func(x scripts) script { return x.step }, advance(store.OpStart, notStarted), false},
	{"extend", func(x scripts) script { return x.step }, advance(store.OpExtend), false},
	{"complete", func(x scripts) script { return x.complete }, advance(store.OpComplete), false},
	{"yield", func(x scripts) script { return x.step }, advance(store.OpYield), false},
	{"release", func(x scripts) script { return x.step }, advance(store.OpRelease), false},
	{"happened", func(x scripts) script { return x.decide }, decide(store.Happened), true},
	{"did not happen", func(x scripts) script { return x.decide }, decide(store.DidNotHappen), true},
	{"cancel", func(x scripts) script { return x.decide }, decide(store.Cancel), true},
	{"Get", func(x scripts) script { return x.get }, func(l *life) func(context.Context) (any, error) {
		r := l.done()
		return func(ctx context.Context) (any, error) { a, err := l.Get(ctx, r.Identity); return a.Record, err }
	}, false},
	{"Find", func(x scripts) script { return x.find }, func(l *life) func(context.Context) (any, error) {
		r := l.done()
		return func(ctx context.Context) (any, error) { return l.Find(ctx, r.ID) }
	}, false},
	{"Wait", func(x scripts) script { return x.look }, func(l *life) func(context.Context) (any, error) {
		r := l.claimed()
		return func(ctx context.Context) (any, error) { return nil, l.Wait(ctx, r.Identity, r.Version+1) }
	}, false},
	{"List", func(x scripts) script { return x.list }, func(l *life) func(context.Context) (any, error) {
		r := l.claimed()
		return func(ctx context.Context) (any, error) {
			p, err := l.List(ctx, store.ListRequest{Class: store.ClassOpen, Limit: 10})
			return len(p.Records) == 1 && p.Records[0].ID == r.ID, err
		}
	}, false},
	{"Stats", func(x scripts) script { return x.stats }, func(l *life) func(context.Context) (any, error) {
		l.claimed()
		return func(ctx context.Context) (any, error) { s, err := l.Stats(ctx, ""); return s.Started, err }
	}, false},
	{"Trail", func(x scripts) script { return x.trail }, func(l *life) func(context.Context) (any, error) {
		return func(ctx context.Context) (any, error) {
			p, err := l.Trail(ctx, store.TrailRequest{Limit: 10})
			return p.Entries, err
		}
	}, false},
	{"Seal", func(x scripts) script { return x.seal }, func(l *life) func(context.Context) (any, error) {
		return func(ctx context.Context) (any, error) { return l.Seal(ctx, "orders", 77) }
	}, false},
}

// TestLostReply loses the reply of every command in turn, and then the command itself. The driver sends it once; repeated by its caller, it is carried out once.
func TestLostReply(t *testing.T) {
	for _, gone := range []bool{false, true} {
		for _, c := range calls {
			t.Run(c.name+map[bool]string{true: "/before", false: "/after"}[gone], func(t *testing.T) {
				p := newProxy(t, redistest.Shared(t).Address())
				s := openAt(t, Config{Prefix: freshPrefix(), Shards: 1, unsealed: true, movable: true, Timeout: 10 * time.Second}, p.address())
				plain := &life{T: t, Store: openAt(t, Config{Prefix: freshPrefix(), Shards: 1, unsealed: true, movable: true}, redistest.Shared(t).Address())}
				want, err := c.make(plain)(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				call := c.make(&life{T: t, Store: s})
				p.lose(c.script(s.scripts).sha, gone)
				if got, err := call(t.Context()); err == nil {
					t.Fatalf("its reply was lost, and it answered %v", got)
				}
				if n := p.times(); n != 1 {
					t.Errorf("it was sent %d times", n)
				}
				got, err := call(t.Context())
				if err != nil {
					t.Fatalf("repeated: %v", err)
				}
				if r, ok := got.(store.Record); ok && r.State != want.(store.Record).State {
					t.Errorf("repeated: %v, want %v", r.State, want.(store.Record).State)
				} else if !ok && !reflect.DeepEqual(got, want) {
					t.Errorf("repeated: %v, want %v", got, want)
				}
				if trail, err := s.Trail(t.Context(), store.TrailRequest{Limit: 10}); err != nil || (len(trail.Entries) == 1) != c.entry {
					t.Errorf("the trail has %d entries, %v", len(trail.Entries), err)
				}
				if r, ok := got.(store.Record); ok && r.State == store.Started && r.Claims != 2 {
					t.Errorf("taken over %d times", r.Claims-1)
				}
			})
		}
	}
}

// TestLostReplyOfRemovals does the same to what a repeated call does not find again: a purge, and the release of a claim by an operator.
func TestLostReplyOfRemovals(t *testing.T) {
	p := newProxy(t, redistest.Shared(t).Address())
	l := &life{T: t, Store: openAt(t, Config{Prefix: freshPrefix(), Shards: 1, unsealed: true, movable: true, bucket: time.Second, Timeout: 10 * time.Second}, p.address())}
	now, err := l.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who := identity("stamped", now)
	if _, err := l.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Advance(t.Context(), completeOf(who, tokenOf(1), "paid")); err != nil {
		t.Fatal(err)
	}
	move(t, l.Store, 25*time.Hour)
	p.lose(l.scripts.purge.sha, false)
	for range 3 { // it looks before it removes
		_, _ = l.Purge(t.Context(), store.PurgeRequest{Limit: 10})
	}
	q := claimOf(who, tokenOf(2))
	q.Window = 1000 * time.Hour
	if a, err := l.Claim(t.Context(), q); err != nil || a.Verdict != store.Expired {
		t.Errorf("a late copy after the purge: %v, %v", a.Verdict, err)
	}

	call := decide(store.ReleaseClaim)(l)
	p.lose(l.scripts.decide.sha, false)
	if _, err := call(t.Context()); err == nil {
		t.Fatal("its reply was lost")
	}
	if got, err := call(t.Context()); err != nil || got != store.Absence {
		t.Errorf("repeated: %v, %v", got, err)
	}
	if trail, err := l.Trail(t.Context(), store.TrailRequest{Limit: 10}); err != nil || len(trail.Entries) != 1 {
		t.Errorf("the trail has %d entries, %v", len(trail.Entries), err)
	}
}

// TestFlushedScripts forgets the scripts before every call.
func TestFlushedScripts(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	for _, c := range calls {
		s := openAt(t, Config{Prefix: freshPrefix(), Shards: 2, movable: true}, server.Address())
		call := c.make(&life{T: t, Store: s})
		if _, err := server.Talk("SCRIPT", "FLUSH"); err != nil {
			t.Fatal(err)
		}
		if _, err := call(t.Context()); err != nil {
			t.Errorf("%s without its script: %v", c.name, err)
		}
	}
}

// TestFlushedDatabase: who has lost everything runs nothing again.
func TestFlushedDatabase(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	l := &life{T: t, Store: openAt(t, Config{}, server.Address())}
	r := l.done()
	if _, err := server.Talk("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	for _, who := range []store.Identity{r.Identity, identity("new", 0)} {
		if a, err := l.Claim(t.Context(), claimOf(who, tokenOf(99))); !errors.Is(err, ErrForgotten) {
			t.Errorf("a claim after FLUSHALL: %v, %v", a.Verdict, err)
		}
	}
	if _, err := l.Purge(t.Context(), store.PurgeRequest{Limit: 1}); !errors.Is(err, ErrForgotten) {
		t.Errorf("a purge after FLUSHALL: %v", err)
	}
	_ = openAt(t, Config{}, server.Address()) // another process lays it out anew
	if a, err := l.Claim(t.Context(), claimOf(r.Identity, tokenOf(99))); !errors.Is(err, ErrForgotten) {
		t.Errorf("the process that remembers, beside one that does not: %v, %v", a.Verdict, err)
	}
	if _, err := server.Talk("DEL", "{"+l.tags[0][1:len(l.tags[0])-1]+"}w"); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), clientOf(server), Config{}); !errors.Is(err, ErrForgotten) {
		t.Errorf("opening a store of which a part is lost: %v", err)
	}
}
