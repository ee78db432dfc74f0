package oncehttp_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/memstore"
)

func TestPeersLockOutlivedByTheHandlerDoesNotRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inBubble(t, memstore.New(memstore.Config{}), onceward.Config{HandlerLimit: 10 * time.Minute, OnLapse: onceward.Rerun}, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(10 * onceward.DefaultLease)
			created(w, r)
		})
		other := startOther(t, p)
		first := p.later("k", "x")
		synctest.Wait()
		for range 9 {
			time.Sleep(onceward.DefaultLease)
			wantProblem(t, other.post("k", "x"), 409, "in-progress", false)
		}
		wantReply(t, <-first, 201, "created x", false)
		wantReply(t, other.post("k", "x"), 201, "created x", true)
		p.wantRuns(1)
		other.wantRuns(0)
	})
}

// startOther is another process on the same store, in which a run would be seen.
func startOther(t *testing.T, p *peer) *peer {
	t.Helper()
	return inBubble(t, p.table, onceward.Config{Wait: onceward.NoWait, OnLapse: onceward.Rerun}, created)
}

func TestPeersHangUpDoesNotStopTheHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := make(chan struct{})
		p := inBubble(t, memstore.New(memstore.Config{}), onceward.Config{HandlerLimit: 10 * time.Minute, OnLapse: onceward.Rerun}, func(w http.ResponseWriter, r *http.Request) {
			close(running)
			time.Sleep(5 * onceward.DefaultLease)
			created(w, r)
		})
		other := startOther(t, p)
		p.hangUp("k", "x", running)
		for range 4 {
			time.Sleep(onceward.DefaultLease)
			wantProblem(t, other.post("k", "x"), 409, "in-progress", false)
		}
		time.Sleep(2 * onceward.DefaultLease)
		wantReply(t, other.post("k", "x"), 201, "created x", true)
		p.wantRuns(1)
		other.wantRuns(0)
	})
}

func TestPeersHangUpDoesNotRunAgainOnceTheLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := make(chan struct{})
		p := inBubble(t, memstore.New(memstore.Config{}), onceward.Config{OnLapse: onceward.Rerun}, func(w http.ResponseWriter, r *http.Request) {
			close(running)
			time.Sleep(time.Second)
			created(w, r)
		})
		p.hangUp("k", "x", running)
		time.Sleep(2 * onceward.DefaultLease)
		wantReply(t, p.post("k", "x"), 201, "created x", true)
		p.wantRuns(1)
	})
}

func TestPeersHungStoreIsAnsweredWithinItsBound(t *testing.T) {
	for op, want := range map[string]struct {
		problem string
		within  time.Duration
		runs    int64
	}{
		"claim":    {"store-unavailable", onceward.DefaultStoreTimeout, 0},
		"complete": {"reply-not-saved", onceward.DefaultSaveLimit + onceward.DefaultStoreTimeout, 1},
	} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := newShaky()
				p := inBubble(t, table, onceward.Config{}, created)
				table.hang(op)
				began := time.Now()
				wantProblem(t, p.post("k", "x"), 503, want.problem, false)
				if took := time.Since(began); took > want.within {
					t.Errorf("answered after %v, want at most %v", took, want.within)
				}
				p.wantRuns(want.runs)
				table.heal()
				time.Sleep(time.Minute)
				wantReply(t, p.post("k", "x"), 201, "created x", want.runs == 1)
				p.wantRuns(1)
			})
		})
	}
}

func TestPeersRetryAfterIsFromTheObservedDuration(t *testing.T) {
	for took, want := range map[time.Duration]string{50 * time.Millisecond: "1", 7 * time.Second: "7"} { // whole seconds, rounded up; the lease is 30
		t.Run(fmt.Sprint(took), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := inBubble(t, memstore.New(memstore.Config{}), onceward.Config{Wait: onceward.NoWait}, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(took)
					created(w, r)
				})
				for i := range 20 {
					p.post(fmt.Sprint(i), "x")
				}
				first := p.later("k", "x")
				synctest.Wait()
				a := p.post("k", "x")
				wantProblem(t, a, 409, "in-progress", false)
				if got := a.Header.Get("Retry-After"); got != want {
					t.Errorf("Retry-After %s for operations of %v, want %s", got, took, want)
				}
				<-first
			})
		})
	}
}
