package oncehttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

func TestPeersStoreOutageIs503(t *testing.T) {
	table := newShaky()
	p := startPeer(t, table, nil, onceward.Config{}, oncehttp.Config{}, created)
	table.fail(errWire, "claim")
	a := p.post("k", "x")
	wantProblem(t, a, 503, "store-unavailable", false)
	if a.Header.Get("Retry-After") == "" {
		t.Error("the client is not told when to come back")
	}
	p.wantRuns(0)
	table.heal()
	wantReply(t, p.post("k", "x"), 201, "created x", false)
}

func TestPeersStoreErrorsDoNotFailOpen(t *testing.T) {
	for _, broken := range []error{errWire, io.EOF, store.ErrFull, store.ErrClosed, store.ErrInvalid, store.ErrUnsupported, context.DeadlineExceeded, context.Canceled} {
		table := newShaky()
		p := startPeer(t, table, nil, onceward.Config{}, oncehttp.Config{}, created)
		table.fail(broken, "claim")
		if a := p.post("k", "x"); a.StatusCode < 500 {
			t.Errorf("%v: answered %d %q", broken, a.StatusCode, a.body)
		}
		p.wantRuns(0)
		table.heal()
		wantReply(t, p.post("k", "x"), 201, "created x", false)
	}
}

func TestPeersStoreDownDoesNotRunOnEveryRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newShaky()
		p := inBubble(t, table, onceward.Config{}, created)
		wantReply(t, p.post("k", "x"), 201, "created x", false)
		table.fail(errWire, "claim", "complete", "release", "yield", "extend")
		for range 5 {
			wantProblem(t, p.post("k", "x"), 503, "store-unavailable", false)
			wantProblem(t, p.post("new", "x"), 503, "store-unavailable", false)
			time.Sleep(10 * time.Second)
		}
		p.wantRuns(1)
		table.heal()
		time.Sleep(time.Minute)
		wantReply(t, p.post("k", "x"), 201, "created x", true)
		wantReply(t, p.post("new", "x"), 201, "created x", false)
	})
}

func TestPeersFailedSaveDoesNotFreeTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newShaky()
		p := inBubble(t, table, onceward.Config{Wait: onceward.NoWait}, created)
		table.fail(errWire, "complete")
		wantProblem(t, p.post("k", "x"), 503, "reply-not-saved", false)
		wantProblem(t, p.post("k", "x"), 409, "in-progress", false)
		time.Sleep(time.Hour) // the lease is over, and nobody knows more
		wantProblem(t, p.post("k", "x"), 409, "outcome-unknown", false)
		p.wantRuns(1)
		table.heal()
		time.Sleep(time.Minute)
		wantReply(t, p.post("k", "x"), 201, "created x", true)
		p.wantRuns(1)
	})
}

func TestPeersFailedSaveIsNotAFailureOfTheOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newShaky()
		p := inBubble(t, table, onceward.Config{}, created)
		table.fail(errWire, "complete")
		time.AfterFunc(time.Second, table.heal) // within the time that a save may take
		wantReply(t, p.post("k", "x"), 201, "created x", false)
		wantReply(t, p.post("k", "x"), 201, "created x", true)
		p.wantRuns(1)
	})
}

func TestPeersStoreDyingInMidHandlerIsNotAFailureAfterTheEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newShaky()
		p := inBubble(t, table, onceward.Config{}, func(w http.ResponseWriter, r *http.Request) {
			table.fail(errWire, "claim", "start", "extend", "complete", "yield", "release")
			created(w, r)
		})
		a := p.post("k", "x")
		wantProblem(t, a, 503, "reply-not-saved", false) // says that it was carried out, and not to use a new key
		if a.Header.Get("Retry-After") == "" {
			t.Error("the client is not told when to come back")
		}
		table.heal()
		time.Sleep(time.Minute)
		wantReply(t, p.post("k", "x"), 201, "created x", true)
		p.wantRuns(1)
	})
}

func TestPeersTwoServersOnOneStoreRunOnce(t *testing.T) {
	table := memstore.New(memstore.Config{})
	gcfg := onceward.Config{Wait: 10 * time.Second}
	a := startPeer(t, table, nil, gcfg, oncehttp.Config{}, created)
	b := startPeer(t, table, nil, gcfg, oncehttp.Config{}, created)
	for _, other := range []*peer{a, b} { // what makes requests the same includes the host: both stand behind one name
		other.Config.Handler = underOneName(other.Config.Handler)
	}
	var all sync.WaitGroup
	for i := range 40 {
		p := []*peer{a, b}[i%2]
		all.Go(func() {
			if got := p.post("k", "x"); got.StatusCode != 201 || got.body != "created x" {
				t.Errorf("got %d %q", got.StatusCode, got.body)
			}
		})
	}
	all.Wait()
	if n := a.runs.Load() + b.runs.Load(); n != 1 {
		t.Errorf("%d runs on two servers", n)
	}
}

// underOneName is what a load balancer does.
func underOneName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "shop.example"
		next.ServeHTTP(w, r)
	})
}

// A lock that lives as long as the record keeps a crashed operation shut for a day; a record that lives as long as the lock forgets it after half a minute.
func TestPeersLockLifetimeIsNotTheRecordsLifetime(t *testing.T) {
	var clock movedClock
	table := memstore.New(memstore.Config{Clock: clock.now})
	running, finish := make(chan struct{}), make(chan struct{})
	gcfg := onceward.Config{OnLapse: onceward.Rerun, Wait: onceward.NoWait}
	stalled := startPeer(t, table, nil, gcfg, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		close(running)
		<-finish
		fmt.Fprint(w, "the stalled owner's")
	})
	healthy := startPeer(t, table, nil, gcfg, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the second owner's") })
	stalled.Config.Handler, healthy.Config.Handler = underOneName(stalled.Config.Handler), underOneName(healthy.Config.Handler)
	first := stalled.later("k", "x")
	<-running
	wantProblem(t, healthy.post("k", "x"), 409, "in-progress", false)
	clock.move(onceward.DefaultLease)
	wantReply(t, healthy.post("k", "x"), 200, "the second owner's", false)
	clock.move(23 * time.Hour)
	wantReply(t, healthy.post("k", "x"), 200, "the second owner's", true)
	close(finish)
	<-first
	healthy.wantRuns(1)
}

func TestPeersLateOwnerCannotOverwrite(t *testing.T) {
	var clock movedClock
	table := memstore.New(memstore.Config{Clock: clock.now})
	running, finish := make(chan struct{}), make(chan struct{})
	gcfg := onceward.Config{OnLapse: onceward.Rerun}
	stalled := startPeer(t, table, nil, gcfg, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		close(running)
		<-finish
		fmt.Fprint(w, "the stalled owner's")
	})
	healthy := startPeer(t, table, nil, gcfg, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the second owner's") })
	stalled.Config.Handler, healthy.Config.Handler = underOneName(stalled.Config.Handler), underOneName(healthy.Config.Handler)
	first := stalled.later("k", "x")
	<-running
	clock.move(onceward.DefaultLease)
	wantReply(t, healthy.post("k", "x"), 200, "the second owner's", false)
	close(finish)
	wantReply(t, <-first, 200, "the second owner's", true) // out of the record, not its own
	for _, p := range []*peer{stalled, healthy} {
		wantReply(t, p.post("k", "x"), 200, "the second owner's", true)
	}
}

func TestPeersCompletionAfterTheLeaseIsAccepted(t *testing.T) {
	var clock movedClock
	table := memstore.New(memstore.Config{Clock: clock.now})
	running, finish := make(chan struct{}), make(chan struct{})
	p := startPeer(t, table, nil, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-finish
		created(w, r)
	})
	first := p.later("k", "x")
	<-running
	clock.move(time.Hour) // no heartbeat came in that time
	page, err := p.guard.Unknowns(context.Background(), onceward.UnknownsRequest{})
	if err != nil || len(page.Records) != 1 {
		t.Fatalf("the lease is over: %v %v", page.Records, err)
	}
	close(finish)
	wantReply(t, <-first, 201, "created x", false)
	wantReply(t, p.post("k", "x"), 201, "created x", true)
	p.wantRuns(1)
}

func TestPeersFullStoreForgetsNothing(t *testing.T) {
	p := startPeer(t, memstore.New(memstore.Config{MaxRecords: 2}), nil, onceward.Config{}, oncehttp.Config{}, created)
	p.post("k1", "x")
	p.post("k2", "x")
	wantProblem(t, p.post("k3", "x"), 503, "store-unavailable", false)
	wantReply(t, p.post("k1", "x"), 201, "created x", true)
	wantReply(t, p.post("k2", "x"), 201, "created x", true)
	p.wantRuns(2)
}
