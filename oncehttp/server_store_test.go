package oncehttp_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// ailing is a store that a test makes sick.
type ailing struct {
	store.Store
	health atomic.Int32
}

const (
	healthy = iota
	down    // every call fails at once
	hung    // every call takes as long as its caller lets it
)

var errDown = errors.New("connection refused")

func (a *ailing) suffer(ctx context.Context) error {
	switch a.health.Load() {
	case down:
		return errDown
	case hung:
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (a *ailing) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if err := a.suffer(ctx); err != nil {
		return store.Answer{}, err
	}
	return a.Store.Claim(ctx, q)
}

func (a *ailing) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if err := a.suffer(ctx); err != nil {
		return store.Answer{}, err
	}
	return a.Store.Advance(ctx, q)
}

// serveOn guards a handler over a store of the test's own. The guard closes the store.
func serveOn(t *testing.T, s store.Store, gcfg onceward.Config, cfg oncehttp.Config, h http.HandlerFunc) *served {
	t.Helper()
	guard, err := onceward.New(s, gcfg)
	if err != nil {
		t.Fatal(err)
	}
	once, err := oncehttp.Middleware(guard, byUser, cfg)
	if err != nil {
		t.Fatal(err)
	}
	out := &served{t: t, guard: guard}
	out.Server = httptest.NewUnstartedServer(once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out.runs.Add(1)
		h(w, r)
	})))
	out.Config.ErrorLog = log.New(io.Discard, "", 0) // panics are the tests' own
	out.Config.Protocols = new(http.Protocols)
	out.Config.Protocols.SetHTTP1(true)
	out.Config.Protocols.SetUnencryptedHTTP2(true)
	out.Start()
	t.Cleanup(func() {
		out.Close()
		soon, stop := context.WithTimeout(context.Background(), 5*time.Second) // a broken guard must fail the test, not hang it
		defer stop()
		if err := guard.Close(soon); err != nil {
			t.Error(err)
		}
	})
	return out
}

func TestServerAStoreThatIsDownOrSlow(t *testing.T) {
	for name, health := range map[string]int32{"down": down, "slow": hung} {
		t.Run(name, func(t *testing.T) {
			sick := &ailing{Store: memstore.New(memstore.Config{})}
			s := serveOn(t, sick, onceward.Config{StoreTimeout: 50 * time.Millisecond}, oncehttp.Config{}, created)
			sick.health.Store(health)
			began := time.Now()
			a := s.post("k", "x")
			if took := time.Since(began); took > 5*time.Second { // a hundred times the bound: the machine may be busy
				t.Errorf("answered after %v", took)
			}
			wantProblem(t, a, http.StatusServiceUnavailable, "store-unavailable", false)
			if a.Header.Get("Retry-After") == "" || s.runs.Load() != 0 {
				t.Errorf("%v after %d runs", a.Header, s.runs.Load())
			}
			sick.health.Store(healthy)
			if a := s.post("k", "x"); a.StatusCode != http.StatusCreated || s.runs.Load() != 1 {
				t.Errorf("when the store is back: %d after %d runs", a.StatusCode, s.runs.Load())
			}
		})
	}
}

func TestServerAStoreThatDiesInMidHandler(t *testing.T) {
	for name, health := range map[string]int32{"down": down, "slow": hung} {
		t.Run(name, func(t *testing.T) {
			sick := &ailing{Store: memstore.New(memstore.Config{})}
			var handled atomic.Int64
			gcfg := onceward.Config{StoreTimeout: 50 * time.Millisecond, SaveLimit: 50 * time.Millisecond, Wait: 10 * time.Second}
			s := serveOn(t, sick, gcfg, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
				if handled.Add(1) == 1 {
					sick.health.Store(health)
				}
				created(w, r)
			})
			a := s.post("k", "x")
			wantProblem(t, a, http.StatusServiceUnavailable, "reply-not-saved", false)
			if a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			wantProblem(t, s.post("k", "x"), http.StatusServiceUnavailable, "store-unavailable", false)
			sick.health.Store(healthy)
			// The process settles by itself; a retry waits for that, within its Wait.
			if a := s.post("k", "x"); a.body != "created x" || a.Header.Get(oncehttp.HeaderReplayed) != "true" {
				t.Errorf("the reply is lost: %d %q", a.StatusCode, a.body)
			}
			if n := s.runs.Load(); n != 1 {
				t.Errorf("%d runs", n)
			}
		})
	}
}

func TestServerAFullStoreRefusesNewKeysAndCompletesOldOnes(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	var handled atomic.Int64
	s := serveOn(t, memstore.New(memstore.Config{MaxRecords: 1}), onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		if handled.Add(1) == 1 {
			close(running)
			<-finish
		}
		created(w, r)
	})
	first := make(chan answer, 1)
	go func() { first <- s.post("old", "x") }()
	<-running
	a := s.post("new", "x")
	close(finish)
	wantProblem(t, a, http.StatusServiceUnavailable, "store-unavailable", false)
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if a := <-first; a.StatusCode != http.StatusCreated {
		t.Errorf("the accepted one could not complete: %d %q", a.StatusCode, a.body)
	}
	if a := s.post("old", "x"); a.body != "created x" || a.Header.Get(oncehttp.HeaderReplayed) != "true" || s.runs.Load() != 1 {
		t.Errorf("got %d %q after %d runs", a.StatusCode, a.body, s.runs.Load())
	}
}
