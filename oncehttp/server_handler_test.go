package oncehttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// http.TimeoutHandler answers 503 while the work goes on: the effect comes after the answer.
func TestServerATimeoutHandlerNeverRunsTwice(t *testing.T) {
	var effects atomic.Int64
	finish, done := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		<-finish
		if effects.Add(1) == 1 {
			close(done)
		}
	})
	s := serveOn(t, memstore.New(memstore.Config{}), onceward.Config{}, oncehttp.Config{}, http.TimeoutHandler(slow, 10*time.Millisecond, "busy").ServeHTTP)
	a := s.post("k", "x")
	if a.StatusCode != http.StatusServiceUnavailable || a.body != "busy" || a.Header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeDoubted {
		t.Errorf("first: %d %q %v", a.StatusCode, a.body, a.Header)
	}
	wantProblem(t, s.post("k", "x"), http.StatusConflict, "outcome-unknown", false)
	close(finish)
	<-done
	wantProblem(t, s.post("k", "x"), http.StatusConflict, "outcome-unknown", false)
	if effects.Load() != 1 || s.runs.Load() != 1 {
		t.Errorf("%d effects in %d runs", effects.Load(), s.runs.Load())
	}
}

// TestServerHowAHandlerEnds is the table of what a handler's end means to the next send, under each policy.
func TestServerHowAHandlerEnds(t *testing.T) {
	const runsAgain, isUnknown, isReplayed = "runs again", "is unknown", "is replayed"
	noEffect := func(then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := onceward.NoEffect(r.Context()); err != nil {
				panic(err)
			}
			then(w, r)
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "ended", code) }
	}
	boom := func(http.ResponseWriter, *http.Request) { panic("boom") }
	for _, c := range []struct {
		name           string
		end            http.HandlerFunc
		unknown, rerun string // what the second send meets under MarkUnknown and under Rerun
	}{
		{"success", status(200), isReplayed, isReplayed},
		{"considered no", status(422), isReplayed, isReplayed},
		{"error", status(500), isReplayed, isReplayed},
		{"unauthorized", status(401), runsAgain, runsAgain},
		{"doubt", status(503), isUnknown, runsAgain},
		{"panic", boom, isUnknown, runsAgain},
		{"abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, isUnknown, runsAgain},
		{"doubt without effect", noEffect(status(503)), runsAgain, runsAgain},
		{"panic without effect", noEffect(boom), runsAgain, runsAgain},
		{"success after all", noEffect(status(200)), isReplayed, isReplayed},
	} {
		for policy, want := range map[onceward.Policy]string{onceward.MarkUnknown: c.unknown, onceward.Rerun: c.rerun} {
			t.Run(c.name+"/"+policy.String(), func(t *testing.T) {
				s := serveOn(t, memstore.New(memstore.Config{}), onceward.Config{OnLapse: policy}, oncehttp.Config{}, c.end)
				s.try("k", "x")
				again := s.try("k", "x")
				got := runsAgain
				switch {
				case again.Response != nil && again.Header.Get(oncehttp.HeaderReplayed) == "true":
					got = isReplayed
				case strings.Contains(again.body, "#outcome-unknown"):
					got = isUnknown
				}
				wantRuns := int64(1)
				if want == runsAgain {
					wantRuns = 2
				}
				if got != want || s.runs.Load() != wantRuns {
					t.Errorf("the second send %s after %d runs; want: %s", got, s.runs.Load(), want)
				}
			})
		}
	}
}

// try is post for handlers that may abort the connection: then the answer is empty.
func (s *served) try(key, body string) answer {
	s.t.Helper()
	resp, err := s.Client().Do(s.request(key, body, nil))
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}
	}
	return answer{resp, string(text)}
}

// A hundred copies at once, at two servers that share a store, in both versions of HTTP: one runs, and nobody can tell its reply from the others'.
func TestServerAHundredAtOnceGetTheSameBytes(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", version), func(t *testing.T) {
			mem := memstore.New(memstore.Config{})
			var sent atomic.Int64
			allSent := make(chan struct{})
			handler := func(w http.ResponseWriter, r *http.Request) {
				<-allSent
				created(w, r)
			}
			gcfg := onceward.Config{Wait: 10 * time.Second}
			servers := []*served{serveOn(t, mem, gcfg, oncehttp.Config{}, handler), serveOn(t, mem, gcfg, oncehttp.Config{}, handler)}
			client := speaking(t, version)
			var mu sync.Mutex
			seen := make(map[string]int)
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					req := servers[i%2].request("k", "x", func(r *http.Request) { r.Host = "shop.example" })
					if sent.Add(1) == 100 {
						close(allSent)
					}
					resp, err := client.Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					defer resp.Body.Close()
					body, err := io.ReadAll(resp.Body)
					if err != nil || resp.ProtoMajor != version {
						t.Errorf("%s: %v", resp.Proto, err)
					}
					for _, own := range []string{"Date", "Set-Cookie", oncehttp.HeaderReplayed} { // not part of the saved reply
						resp.Header.Del(own)
					}
					mu.Lock()
					defer mu.Unlock()
					seen[fmt.Sprint(resp.StatusCode, resp.Header, string(body))]++
				})
			}
			all.Wait()
			if len(seen) != 1 {
				t.Errorf("different replies: %v", seen)
			}
			if runs := servers[0].runs.Load() + servers[1].runs.Load(); runs != 1 {
				t.Errorf("%d runs", runs)
			}
		})
	}
}

// speaking returns a client for one version of HTTP, without TLS.
func speaking(t *testing.T, version int) *http.Client {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(version == 1)
	tr.Protocols.SetUnencryptedHTTP2(version == 2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// immortal is a store that outlives its guard, as a database does.
type immortal struct{ store.Store }

func (immortal) Close() error { return nil }

// A server closes under load. Whoever was answered finds the same answer at the next server; whoever was refused has not been executed.
func TestServerClosesUnderLoadAndLosesNothing(t *testing.T) {
	const clients = 16
	mem := immortal{memstore.New(memstore.Config{})}
	s := serveOn(t, mem, onceward.Config{}, oncehttp.Config{}, created)
	var mu sync.Mutex
	answered := make(map[string]answer)
	var all sync.WaitGroup
	warm := make(chan struct{}, clients*1000)
	for c := range clients {
		all.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("k-%d-%d", c, i)
				a := s.post(key, key)
				mu.Lock()
				answered[key] = a
				mu.Unlock()
				if a.StatusCode != http.StatusCreated || i == 1000 {
					return
				}
				warm <- struct{}{}
			}
		})
	}
	for range 5 * clients {
		<-warm
	}
	if err := s.guard.Close(context.Background()); err != nil {
		t.Error(err)
	}
	all.Wait()
	var executed int64
	for _, a := range answered {
		if a.StatusCode == http.StatusCreated {
			executed++
			continue
		}
		wantProblem(t, a, http.StatusServiceUnavailable, "store-unavailable", false)
	}
	if s.runs.Load() != executed {
		t.Errorf("%d runs, %d replies", s.runs.Load(), executed)
	}
	next := serveOn(t, mem, onceward.Config{}, oncehttp.Config{}, created)
	for key, was := range answered {
		a := next.send(next.request(key, key, func(r *http.Request) { r.Host = strings.TrimPrefix(s.URL, "http://") }))
		replayed := a.Header.Get(oncehttp.HeaderReplayed) == "true"
		if accepted := was.StatusCode == http.StatusCreated; replayed != accepted || a.body != "created "+key {
			t.Fatalf("was %d, then %d %q replayed=%v", was.StatusCode, a.StatusCode, a.body, replayed)
		}
	}
}
