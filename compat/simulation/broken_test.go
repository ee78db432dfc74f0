package simulation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

// brokenness is one thing that is wrong on purpose, as it has been wrong in real systems. Nil functions break nothing.
type brokenness struct {
	name    string
	store   func(*storetest.Rules)
	advance func(context.Context, *link, store.AdvanceRequest) (a store.Answer, err error, done bool)
	server  func(*world, onceward.Executor, *oncehttp.Config) onceward.Executor
	scope   oncehttp.ScopeFunc
	client  func(*customer, *oncehttp.ClientConfig)
}

// within is how many seeds may pass before a broken system has to be found out.
const within = 1000

var brokennesses = []brokenness{
	{name: "what has lapsed runs again", store: func(r *storetest.Rules) {
		r.Claim = func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
			r.Policy = store.Rerun
			return store.Claim(r, q, env)
		}
	}},
	{name: "the configuration decides, not the record", store: func(r *storetest.Rules) {
		r.Claim = func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
			r.Policy = q.Policy
			return store.Claim(r, q, env)
		}
	}},
	{name: "purge does not seal", store: func(r *storetest.Rules) {
		r.SealTo = func(_, _ store.Time) store.Time { return 0 }
	}},
	{name: "purge does not wait for the window", store: func(r *storetest.Rules) {
		r.Purgeable = func(r store.Record, _ store.Time) bool { return r.State == store.Done }
	}},
	{name: "a save is blind", store: func(r *storetest.Rules) {
		r.Advance = func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
			if q.Op == store.OpComplete && r.State != store.Absent && r.Token != q.Token {
				r.State, r.Token, r.End = store.Started, q.Token, store.EndNone
			}
			return store.Advance(r, q, env)
		}
	}},
	{name: "fingerprints are not compared", store: func(r *storetest.Rules) {
		r.Claim = func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
			r.Fingerprint.Version = 0
			return store.Claim(r, q, env)
		}
	}},
	{name: "found as not executed, the key is free", store: func(r *storetest.Rules) {
		r.Decide = func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
			s := store.Decide(r, q, env)
			if q.Decision == store.DidNotHappen && s.Write == store.Put {
				s.Write, s.Answer.Record = store.Remove, store.Record{}
			}
			return s
		}
	}},
	{name: "a new key is safe, attested or not", store: func(r *storetest.Rules) {
		r.Decide = func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
			q.Attested = true
			return store.Decide(r, q, env)
		}
	}},
	{name: "a 503 frees the key", server: func(_ *world, exec onceward.Executor, cfg *oncehttp.Config) onceward.Executor {
		cfg.Statuses = map[int]onceward.Ending{http.StatusServiceUnavailable: onceward.EndFree}
		return exec
	}},
	{name: "a client that hangs up frees the key", server: func(_ *world, exec onceward.Executor, _ *oncehttp.Config) onceward.Executor {
		return hangUpFrees{exec}
	}},
	{name: "a lock that expires, and is deleted on failure", server: func(w *world, exec onceward.Executor, _ *oncehttp.Config) onceward.Executor {
		return expiringLock{exec, w}
	}},
	{name: "the reply leaves before it is saved", advance: saveLater},
	{name: "the save ends with the client's context, and frees the key", advance: saveWithClient},
	{name: "an owner answers its own reply", advance: ownReply},
	{name: "keys are shared by all principals", scope: func(*http.Request) (onceward.Scope, error) {
		return onceward.Scope{Service: service, Principal: "everybody"}, nil
	}},
	{name: "a client mints a key for every attempt", client: func(c *customer, cfg *oncehttp.ClientConfig) {
		cfg.Transport = keyPerAttempt{c, cfg.Transport}
	}},
	{name: "a client takes a broken connection for a request not sent", client: func(_ *customer, cfg *oncehttp.ClientConfig) {
		cfg.Transport = brokenIsUnsent{cfg.Transport}
	}},
}

// TestTheRightStoreIsNotFound shows that it is not the store under the broken ones that is found.
func TestTheRightStoreIsNotFound(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		if fault := simulate(t, seed, brokenness{store: func(*storetest.Rules) {}}).verdict(); fault != "" {
			t.Errorf("seed %d: %s", seed, fault)
		}
	}
}

// TestBrokenSystemsAreFound holds that the simulation can see.
func TestBrokenSystemsAreFound(t *testing.T) {
	if underRace {
		t.Skip("broken systems have races of their own, and nobody needs them found")
	}
	for _, broken := range brokennesses {
		t.Run(strings.ReplaceAll(broken.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			for seed := range uint64(within) {
				if fault := simulate(t, seed, broken).verdict(); fault != "" {
					first, _, _ := strings.Cut(fault, "\n")
					t.Logf("found by seed %d: %s", seed, first)
					return
				}
				if time.Since(began) > patience {
					t.Fatalf("not found by the first %d seeds, and its time is over", seed+1)
				}
			}
			t.Errorf("not found by %d seeds", within)
		})
	}
}

// TestDocumentNamesBrokenSystems: docs/simulation.md tells which there are.
func TestDocumentNamesBrokenSystems(t *testing.T) {
	text, err := os.ReadFile("../../docs/simulation.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range brokennesses {
		if !strings.Contains(string(text), "| "+broken.name+" |") {
			t.Errorf("docs/simulation.md has no row for %q", broken.name)
		}
	}
}

// patience keeps a test that fails from taking too long.
const patience = 14 * time.Second

// saveLater tells the guard that the reply is saved, and saves it behind its back, once.
func saveLater(_ context.Context, l *link, q store.AdvanceRequest) (store.Answer, error, bool) {
	if q.Op != store.OpComplete {
		return store.Answer{}, nil, false
	}
	about := name(q.Principal, q.Key)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 8*beat)
		defer cancel()
		_, _ = ask(ctx, l, "complete", about, func() (store.Answer, error) { return l.advance(about, q) })
	}()
	return store.Answer{Verdict: store.Applied}, nil, true
}

// saveWithClient gives the save the client's context, and takes a save that failed for a run that failed.
func saveWithClient(ctx context.Context, l *link, q store.AdvanceRequest) (store.Answer, error, bool) {
	client, ok := ctx.Value(askedKey{}).(context.Context)
	if q.Op != store.OpComplete || !ok || client.Err() == nil {
		return store.Answer{}, nil, false
	}
	q.Op, q.Reply, q.End = store.OpRelease, nil, 0
	about := name(q.Principal, q.Key)
	a, err := ask(ctx, l, "release", about, func() (store.Answer, error) { return l.advance(about, q) })
	return a, err, true
}

// ownReply takes a record that is another's now for one that is saved.
func ownReply(ctx context.Context, l *link, q store.AdvanceRequest) (store.Answer, error, bool) {
	if q.Op != store.OpComplete {
		return store.Answer{}, nil, false
	}
	about := name(q.Principal, q.Key)
	a, err := ask(ctx, l, "complete", about, func() (store.Answer, error) { return l.advance(about, q) })
	if err == nil && a.Verdict == store.Lost {
		a.Verdict = store.Applied
	}
	return a, err, true
}

type hangUpFrees struct{ onceward.Executor }

func (e hangUpFrees) Do(ctx context.Context, call onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	return e.Executor.Do(ctx, call, func(own context.Context, a onceward.Attempt) onceward.Outcome {
		out := fn(own, a)
		if ctx.Err() != nil {
			out.Ending = onceward.EndFree
		}
		return out
	})
}

// expiringLock is what most people write first: SETNX with an expiry, DEL when the handler fails, SET when it does not.
type expiringLock struct {
	onceward.Executor
	w *world
}

type lock struct {
	until time.Time
	reply *onceward.Reply
}

func (e expiringLock) Do(ctx context.Context, call onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	k, locks := name(call.Scope.Principal, call.Key.Text()), &e.w.locks
	if held, ok := locks.Load(k); ok {
		switch l := held.(lock); {
		case l.reply != nil:
			return onceward.Result{Reply: *l.reply, Standing: onceward.Saved, Replayed: true}, nil
		case time.Now().Before(l.until):
			return onceward.Result{}, &onceward.Error{Op: "lock", Err: onceward.ErrInProgress, RetryAfter: time.Second}
		}
	}
	locks.Store(k, lock{until: time.Now().Add(30 * time.Second)})
	run := onceward.NewRun(call, nil)
	out := fn(run.Context(context.WithoutCancel(ctx)), onceward.Attempt{N: 1, MaxReply: 1 << 20})
	if out.Reply.Status >= 500 || out.Ending == onceward.EndFree {
		locks.Delete(k)
		return onceward.Result{Reply: out.Reply, Standing: onceward.Freed}, nil
	}
	locks.Store(k, lock{reply: &out.Reply})
	return onceward.Result{Reply: out.Reply, Standing: onceward.Saved}, nil
}

type keyPerAttempt struct {
	c    *customer
	next http.RoundTripper
}

func (k keyPerAttempt) RoundTrip(req *http.Request) (*http.Response, error) {
	key, err := onceward.TypeID{Clock: k.c.now}.Mint()
	if err != nil {
		return nil, err
	}
	k.c.w.register(name(k.c.principal, key.Text()), k.c.number, 0)
	req = req.Clone(req.Context())
	req.Header.Set("Idempotency-Key", key.Text())
	return k.next.RoundTrip(req)
}

type brokenIsUnsent struct{ next http.RoundTripper }

// RoundTrip also hides what the transport would tell of its connections.
func (b brokenIsUnsent) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(req.Context(), cancel)
	resp, err := b.next.RoundTrip(req.WithContext(ctx))
	if err != nil && !errors.Is(err, context.Canceled) {
		err = &net.OpError{Op: "dial", Net: "memory", Err: fmt.Errorf("broken: %w", err)}
	}
	return resp, err
}
