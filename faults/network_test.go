package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward/faults"
)

// run sends operations times sends requests from many goroutines and returns the sorted log.
func run(t *testing.T, seed uint64, key func(i int) string) []faults.Event {
	t.Helper()
	const workers, operations, sends = 16, 250, 2
	var log events
	n := newNetwork(t, &ledger{}, faults.Config{
		Seed: seed,
		Faults: []faults.Fault{
			faults.LoseRequest(0.1), faults.LoseReply(0.3), faults.CutReply(0.1), faults.Duplicate(0.2), faults.Delay(0.3, 0, time.Second),
		},
		Log:   log.add,
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	work := make(chan int)
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			for i := range work {
				serve(n, httptest.NewRecorder(), request(key(i), fmt.Sprint("/", i%3)))
			}
		})
	}
	for i := range operations * sends {
		work <- i / sends
	}
	close(work)
	done.Wait()
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := log.list()
	slices.SortFunc(all, faults.Event.Compare)
	return all
}

// The same seed and the same requests give the same log, whatever the order of goroutines; another seed gives another.
func TestSameSeedSameLog(t *testing.T) {
	for name, key := range map[string]func(int) string{
		"keys":    func(i int) string { return fmt.Sprint("operation ", i) },
		"no keys": func(int) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			first, second, other := run(t, 7, key), run(t, 7, key), run(t, 8, key)
			if len(first) < 300 {
				t.Errorf("only %d events", len(first))
			}
			if !slices.Equal(first, second) {
				t.Error("the same seed gave two logs")
			}
			if slices.Equal(first, other) {
				t.Error("two seeds gave the same log")
			}
		})
	}
}

// Keys are secrets: an event must not carry them. A long path must not fill the log.
func TestEventKeepsSecretsAndIsShort(t *testing.T) {
	var log events
	n := newNetwork(t, &ledger{}, faults.Config{Faults: []faults.Fault{faults.LoseReply(1)}, Log: log.add})
	serve(n, httptest.NewRecorder(), request("secret-key", "/"+strings.Repeat("p", 5000)+"?q=secret-query"))
	e := log.list()[0]
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{string(text), e.String()} {
		if strings.Contains(s, "secret") || len(s) > 400 {
			t.Errorf("event: %s", s)
		}
	}
	var back faults.Event
	if err := json.Unmarshal(text, &back); err != nil || back != e {
		t.Errorf("%+v came back as %+v, %v", e, back, err)
	}
}

func TestIdentityIsTheCallers(t *testing.T) {
	var log events
	n := newNetwork(t, &ledger{}, faults.Config{
		Faults:   []faults.Fault{faults.LoseRequest(1)},
		Identity: func(r *http.Request) string { return r.Header.Get("X-Transfer") },
		Log:      log.add,
	})
	for i := range 2 {
		r := request(fmt.Sprint("key ", i), "/")
		r.Header.Set("X-Transfer", "t1")
		serve(n, httptest.NewRecorder(), r)
	}
	if got := log.list(); got[0].Identity != got[1].Identity || got[1].Arrival != 2 {
		t.Errorf("log: %v", got)
	}
}

func TestClosedNetworkLetsNothingIn(t *testing.T) {
	var bank ledger
	n := newNetwork(t, &bank, faults.Config{})
	for range 2 { // a second Close is harmless
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !serve(n, httptest.NewRecorder(), request("k", "/")) || len(bank.executed()) != 0 {
		t.Error("a closed network delivered a request")
	}
}

// Close that may not wait any longer cancels what only the network still holds, and can be called again.
func TestCloseGivesUp(t *testing.T) {
	cause := make(chan error, 1)
	started := make(chan struct{})
	n := newNetwork(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		cause <- context.Cause(r.Context())
	}), faults.Config{Faults: []faults.Fault{faults.LoseReply(1)}})
	go serve(n, httptest.NewRecorder(), request("k", "/"))
	<-started
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Close(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	if err := <-cause; !errors.Is(err, faults.ErrClosed) {
		t.Errorf("the delivery ended by %v", err)
	}
	if err := n.Close(t.Context()); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
