package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward/faults"
)

// The client hears nothing until it goes; then the exchange ends at once. The work is done in the cases in which the log says so.
func TestHangUntilTheClientGoes(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var bank ledger
			var log events
			hanging := make(chan struct{}, 1)
			ended := make(chan bool, 1)
			n := newNetwork(t, &bank, faults.Config{
				Faults: []faults.Fault{faults.Hang(1, time.Hour)},
				Log:    log.add,
				Sleep: func(ctx context.Context, _ time.Duration) error {
					hanging <- struct{}{}
					<-ctx.Done()
					return ctx.Err()
				},
			})
			w := newWire(t, protocol, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				aborted := serve(n, w, r)
				ended <- aborted
			}))
			works := 0
			for i := range 10 {
				ctx, hangUp := context.WithCancel(t.Context())
				go func() { <-hanging; hangUp() }()
				if _, _, err := w.post(ctx, "/pay", fmt.Sprint(i), "x"); !errors.Is(err, context.Canceled) {
					t.Fatalf("client: %v", err)
				}
				if !<-ended {
					t.Error("not aborted")
				}
				if log.list()[i].Detail == "after the work" {
					works++
				}
				if got := len(bank.executed()); got != works {
					t.Fatalf("executed %d times, want %d", got, works)
				}
			}
			if works == 0 || works == 10 {
				t.Errorf("worked %d times of 10: want both kinds", works)
			}
		})
	}
}

// Nobody hangs for longer than the limit, and a delayed request's client may go as well.
func TestHangIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 10 {
			n := newNetwork(t, &ledger{}, faults.Config{Faults: []faults.Fault{faults.Hang(1, time.Minute), faults.Delay(1, time.Second, time.Second)}})
			start := time.Now()
			if !serve(n, httptest.NewRecorder(), request(fmt.Sprint(i), "/")) {
				t.Error("not aborted")
			}
			if took := time.Since(start); took != time.Minute+time.Second {
				t.Errorf("took %v", took)
			}

			ctx, hangUp := context.WithTimeout(t.Context(), 10*time.Second)
			start = time.Now()
			serve(n, httptest.NewRecorder(), request(fmt.Sprint(i), "/").WithContext(ctx))
			hangUp()
			if took := time.Since(start); took != 10*time.Second {
				t.Errorf("after its client had gone at 10s: took %v", took)
			}
		}
	})
}

func TestHangEndsWithTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, &ledger{}, faults.Config{Faults: []faults.Fault{faults.Hang(1, time.Hour)}})
		start := time.Now()
		aborted := make(chan bool, 4)
		for i := range 4 {
			go func() { aborted <- serve(n, httptest.NewRecorder(), request(fmt.Sprint(i), "/")) }()
		}
		synctest.Wait()
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if !<-aborted {
				t.Error("not aborted")
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// An upstream that aborts does not end the silence.
func TestHangThoughTheUpstreamAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
			faults.Config{Faults: []faults.Fault{faults.Hang(1, time.Minute)}})
		for i := range 6 {
			start := time.Now()
			if !serve(n, httptest.NewRecorder(), request(fmt.Sprint(i), "/")) || time.Since(start) != time.Minute {
				t.Errorf("ended after %v", time.Since(start))
			}
		}
	})
}

func TestHangWantsALimit(t *testing.T) {
	for _, limit := range []time.Duration{0, -1} {
		_, err := faults.New(&ledger{}, faults.Config{Faults: []faults.Fault{faults.Hang(0.5, limit)}})
		if !errors.Is(err, faults.ErrConfig) || !strings.Contains(err.Error(), "hang: the limit is") {
			t.Errorf("limit %v: %v", limit, err)
		}
	}
}
