package simulation

import (
	"context"
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
	client  func(*customer, *oncehttp.ClientConfig)

	onePrincipal bool
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
	{name: "a run that is doubted has child keys of its own", server: func(_ *world, exec onceward.Executor, _ *oncehttp.Config) onceward.Executor {
		return childPerRun{exec}
	}},
	{name: "the reply leaves before it is saved", advance: saveLater},
	{name: "a save that has failed is given up", advance: saveOnce},
	{name: "the save ends with the client's context, and frees the key", advance: saveWithClient},
	{name: "an owner answers its own reply", advance: ownReply},
	{name: "keys are shared by all principals", onePrincipal: true},
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
					t.Logf("| %s | %d |\n%s", broken.name, seed, fault)
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
