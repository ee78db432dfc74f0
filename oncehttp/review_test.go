package oncehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// What is in this file broke an earlier version of the middleware in review.

// serveUnsaved serves a handler over a store that saves nothing, behind an outer middleware.
func serveUnsaved(t *testing.T, outer func(http.Handler) http.Handler, h http.HandlerFunc) *served {
	t.Helper()
	store := &savesNothing{Store: memstore.New(memstore.Config{})}
	guard, err := onceward.New(store, onceward.Config{SaveLimit: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	once, err := oncehttp.Middleware(guard, byUser, oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, Server: httptest.NewServer(outer(once(h)))}
	t.Cleanup(func() {
		store.heal()
		s.Close()
		if err := guard.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func untouched(h http.Handler) http.Handler { return h }

// wantNoSuccess fails if the client takes what it gets for a whole success.
func (s *served) wantNoSuccess(req *http.Request) {
	s.t.Helper()
	resp, err := s.Client().Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode < 400 {
		s.t.Errorf("a reply that is not saved looks whole: %d %q", resp.StatusCode, body)
	}
}

func TestReviewABodilessReplyDoesNotLeaveAtFlush(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); w.(http.Flusher).Flush() },
		"length zero": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			w.(http.Flusher).Flush()
		},
		"identity coded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Transfer-Encoding", "identity")
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveUnsaved(t, untouched, h)
			s.wantNoSuccess(s.request("k", "x", nil))
		})
	}
}

func TestReviewARecovererOutsideDoesNotMendAnAbortedStream(t *testing.T) {
	recoverer := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					w.WriteHeader(500)
				}
			}()
			h.ServeHTTP(w, r)
		})
	}
	s := serveUnsaved(t, recoverer, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "order created")
		w.(http.Flusher).Flush()
	})
	s.wantNoSuccess(s.request("k", "x", nil))
}

// inFlight sends a request, waits until its handler runs, sends a copy that waits for it, and lets the handler go on.
func inFlight(t *testing.T, gcfg onceward.Config, h http.HandlerFunc) (follower answer, followerErr error) {
	t.Helper()
	running, goOn := make(chan struct{}, 2), make(chan struct{})
	joined := make(chan struct{})
	s := serve(t, gcfg, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		running <- struct{}{}
		<-goOn
		h(w, r)
	})
	go func() { _, _ = s.Client().Do(s.request("k", "x", nil)) }()
	<-running
	go func() {
		defer close(joined)
		resp, err := s.Client().Do(s.request("k", "x", nil))
		if err != nil {
			followerErr = err
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		follower, followerErr = answer{resp, string(body)}, err
	}()
	time.AfterFunc(50*time.Millisecond, func() { close(goOn) }) // the copy has most likely joined; if not, it claims: the same answer is right
	<-joined
	return follower, followerErr
}

func TestReviewAFollowerGetsNoPartOfAReply(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"overflow in doubt": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); writeLines(w, 25) },
		"short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := inFlight(t, onceward.Config{MaxReply: 1000}, h)
			if err != nil || got.StatusCode != 409 {
				t.Fatalf("the follower got %v %q, %v", got.Response, got.body, err)
			}
			wantProblem(t, got, 409, "outcome-unknown", false)
		})
	}
}

func writeLines(w io.Writer, n int) {
	for i := range n {
		fmt.Fprintf(w, "%099d\n", i)
	}
}

func TestReviewAChallengeIsNotShared(t *testing.T) {
	got, err := inFlight(t, onceward.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(401)
	})
	if err != nil || got.StatusCode != 401 || got.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("the follower got %v, %v", got.Response, err)
	}
}

func TestReviewAnInvalidStatusIsThePanicOfItsHandler(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(1000) })
	if resp, err := s.Client().Do(s.request("k", "x", nil)); err == nil {
		t.Errorf("got %d", resp.StatusCode)
		resp.Body.Close()
	}
	wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
}

func TestReviewTheFirstReplyAndItsReplayAreEqual(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"flush before the first byte": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); fmt.Fprint(w, "<html>hello") },
		"no type wanted": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "<html>hello")
		},
		"trailer and header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.Header().Set("X-Sum", "a")
			fmt.Fprint(w, "x")
		},
		"late trailer": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "x")
			w.Header().Set(http.TrailerPrefix+"X-Sum", "a")
		},
		"marks of an inner service": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(oncehttp.HeaderReplayed, "true")
			w.Header().Set(oncehttp.HeaderWindow, "5")
			w.Header().Set(oncehttp.HeaderOutcome, oncehttp.OutcomeDoubted)
			fmt.Fprint(w, "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, onceward.Config{}, oncehttp.Config{}, h)
			first, again := s.post("k", "x"), s.post("k", "x")
			for _, name := range []string{"Content-Type", "X-Sum", oncehttp.HeaderWindow} {
				if a, b := strings.Join(first.Header.Values(name), "|"), strings.Join(again.Header.Values(name), "|"); a != b {
					t.Errorf("%s: first %q, replay %q", name, a, b)
				}
				if a, b := strings.Join(first.Trailer.Values(name), "|"), strings.Join(again.Trailer.Values(name), "|"); a != b {
					t.Errorf("trailer %s: first %q, replay %q", name, a, b)
				}
			}
			if first.Header.Get(oncehttp.HeaderReplayed) != "" || again.Header.Get(oncehttp.HeaderReplayed) != "true" ||
				first.Header.Get(oncehttp.HeaderWindow) != "86400" || again.Header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeSaved {
				t.Errorf("first %v\nreplay %v", first.Header, again.Header)
			}
			if first.body != again.body {
				t.Errorf("first %q, replay %q", first.body, again.body)
			}
		})
	}
}

func TestReviewACookieInAnySpellingIsNotReplayed(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.Header()["set-cookie"] = []string{"session=1"} })
	s.post("k", "x")
	if a := s.post("k", "x"); a.Header.Get("Set-Cookie") != "" {
		t.Error("a session was replayed")
	}
}

func TestReviewABodyThatWasReadOutsideIsRefused(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, created)
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.FormValue("_method") // as method-override middleware does
		inner.ServeHTTP(w, r)
	})
	a := s.send(s.request("k", "amount=1", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }))
	if a.StatusCode != 500 || s.runs.Load() != 0 {
		t.Errorf("%d after %d runs: without its body a request cannot be told from another", a.StatusCode, s.runs.Load())
	}
}

func TestReviewKeysThatContradictEachOther(t *testing.T) {
	optional := serve(t, onceward.Config{}, oncehttp.Config{KeyOptional: true}, created)
	a := optional.send(optional.request("", "x", func(r *http.Request) { r.Header[oncehttp.HeaderKey] = []string{"", "abc"} }))
	wantProblem(t, a, 400, "key-invalid", false)
	field := serve(t, onceward.Config{}, oncehttp.Config{KeyField: "id"}, created)
	wantProblem(t, field.post("k1", `{"id":"k2"}`), 400, "key-invalid", false)
	if n := optional.runs.Load() + field.runs.Load(); n != 0 {
		t.Errorf("%d runs", n)
	}
}

func TestReviewAFailureBeforeStartIsFree(t *testing.T) {
	s := serve(t, onceward.Config{ExplicitStart: true}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no configuration", 500) })
	for range 2 {
		if a := s.post("k", "x"); a.StatusCode != 500 || a.Header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeFreed {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
	}
	if s.runs.Load() != 2 {
		t.Errorf("%d runs", s.runs.Load())
	}
}

func TestReviewARequestWithoutABody(t *testing.T) {
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close(context.Background())
	scope := func(*http.Request) (onceward.Scope, error) {
		return onceward.Scope{}, fmt.Errorf("token service: %w", &onceward.Error{Op: "do", Err: onceward.ErrKeyExpired})
	}
	for want, scope := range map[int]oncehttp.ScopeFunc{201: byUser, 403: scope} { // the cause of a refusal is not its kind
		once, err := oncehttp.Middleware(guard, scope, oncehttp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodPost, "http://x/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-User", "alice")
		req.Header.Set(oncehttp.HeaderKey, "k")
		rec := httptest.NewRecorder()
		once(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) })).ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("got %d %s, want %d", rec.Code, rec.Body, want)
		}
	}
	_, err = oncehttp.Middleware(guard, byUser, oncehttp.Config{KeepHeaders: []string{"content-length"}})
	if !errors.Is(err, onceward.ErrConfig) {
		t.Errorf("a framing header may be kept: %v", err)
	}
}
