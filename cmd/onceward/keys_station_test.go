package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
	"github.com/onceward/onceward/store/pgstore"
)

// station is a service with its admin API, on real sockets. How a call of the service ends is chosen by its body.
type station struct {
	t       *testing.T
	guard   *onceward.Guard
	service string // its URL
	admin   string
	made    atomic.Int64  // effects
	begun   chan struct{} // a call that stalls has begun
	finish  chan struct{} // closed: it goes on

	mu    sync.Mutex
	front func(http.Handler) http.Handler // before the admin API, if any
}

// The bodies of calls.
const (
	pays    = `{"to":"bob"}`            // executed, and answered
	wavers  = `{"to":"bob","for":"1"}`  // executed, and the answer is a doubt
	stalls  = `{"to":"bob","for":"2"}`  // executes when the test says so
	payment = `{"payout":"po_4711"}`    // the reply
	olga    = "olga@example.com"        // who is at the desk
	reason  = "payout po_4711 is there" // why
)

func newStation(t *testing.T, records store.Store, cfg onceward.Config) *station {
	t.Helper()
	s := &station{t: t, begun: make(chan struct{}, 1), finish: make(chan struct{})}
	cfg.MaintainEvery, cfg.Wait = onceward.NoMaintenance, onceward.NoWait
	var err error
	if s.guard, err = onceward.New(records, cfg); err != nil {
		t.Fatal(err)
	}
	caller := func(r *http.Request) (string, error) { return r.Header.Get("X-Caller"), nil }
	once, err := oncehttp.Middleware(s.guard, oncehttp.Principal("payouts", caller), oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	api, err := oncehttp.Admin(s.guard, oncehttp.ClaimedActor, oncehttp.AdminConfig{})
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(once(s))
	admin := httptest.NewServer(http.StripPrefix("/admin/once", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		h := api
		if s.front != nil {
			h = s.front(api)
		}
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	})))
	s.service, s.admin = service.URL, admin.URL+"/admin/once"
	t.Cleanup(func() {
		admin.Close()
		service.Close()
		if err := s.guard.Close(context.Background()); err != nil && !errors.Is(err, onceward.ErrClosed) {
			t.Error(err)
		}
	})
	t.Setenv(adminVariable, s.admin)
	t.Setenv(tokenVariable, "")
	return s
}

func (s *station) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if string(body) == stalls {
		s.begun <- struct{}{}
		<-s.finish
	}
	s.made.Add(1)
	if string(body) == wavers {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, payment)
}

// stations runs a test over every store that is there.
func stations(t *testing.T, test func(*testing.T, *station)) {
	t.Run("memory", func(t *testing.T) { test(t, newStation(t, memstore.New(memstore.Config{}), onceward.Config{})) })
	t.Run("postgres", func(t *testing.T) {
		pool := connect(t, migrated(t))
		records, err := pgstore.New(t.Context(), pool, pgstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		test(t, newStation(t, records, onceward.Config{}))
	})
}

func memoryStation(t *testing.T) *station {
	t.Helper()
	return newStation(t, memstore.New(memstore.Config{}), onceward.Config{})
}

// call is one send of an operation.
func (s *station) call(who, key, body string) (status int, reply string, replayed bool) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.service+"/payouts", io.NopCloser(strings.NewReader(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Caller", who)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(oncehttp.HeaderKey, key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header.Get(oncehttp.HeaderReplayed) == "true"
}

// unknown makes an operation whose outcome nobody can tell, and returns its key and id.
func (s *station) unknown(who string) (key, id string) {
	s.t.Helper()
	key = minted(s.t)
	if status, reply, _ := s.call(who, key, wavers); status != http.StatusServiceUnavailable {
		s.t.Fatalf("%d %s", status, reply)
	}
	return key, idOf(s.t, who, key)
}

// claimed leaves a claim whose owner is gone and never started.
func (s *station) claimed(who string) (key, id string) {
	s.t.Helper()
	key = minted(s.t)
	explicit, err := s.guard.With(func(c *onceward.Config) { c.ExplicitStart = true })
	if err != nil {
		s.t.Fatal(err)
	}
	k, err := onceward.ParseKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	call := onceward.Call{Scope: onceward.Scope{Service: "payouts", Principal: who}, Key: k, Fingerprint: onceward.BytesFingerprint("", nil)}
	_, _ = explicit.Do(s.t.Context(), call, func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.DoubtError(nil) })
	return key, idOf(s.t, who, key)
}

func minted(t *testing.T) string {
	t.Helper()
	key, err := onceward.TypeID{}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	return key.Text()
}

func idOf(t *testing.T, who, key string) string {
	t.Helper()
	k, err := onceward.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return onceward.Scope{Service: "payouts", Principal: who}.Identity(k).ID.String()
}

// before puts something in front of the admin API.
func (s *station) before(front func(http.Handler) http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.front = front
}

// direct carries out an operation of a caller whom HTTP could not name, with that reply.
func (s *station) direct(who, key, body string) string {
	return s.do(who, key, onceward.Save(onceward.Reply{Status: http.StatusOK, Header: []onceward.Field{{Name: "X-A", Value: body[:1]}}, Body: []byte(body)}))
}

// heldDirect is direct without a reply.
func (s *station) heldDirect(who string) { s.do(who, minted(s.t), onceward.DoubtError(nil)) }

func (s *station) do(who, key string, out onceward.Outcome) string {
	s.t.Helper()
	k, err := onceward.ParseKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	call := onceward.Call{Scope: onceward.Scope{Service: "payouts", Principal: who}, Key: k, Fingerprint: onceward.BytesFingerprint("", nil)}
	if _, err := s.guard.Do(s.t.Context(), call, func(context.Context, onceward.Attempt) onceward.Outcome { return out }); err != nil {
		return err.Error()
	}
	return ""
}

// refuses lets the admin API answer everything with one problem.
func (s *station) refuses(status int, detail string) {
	s.before(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", oncehttp.ProblemType)
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(oncehttp.AdminProblem{Type: "about:blank", Status: status, Detail: detail})
		})
	})
}
