package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward/faults"
)

// firstByte notes when the reply begins.
type firstByte struct {
	*httptest.ResponseRecorder
	at time.Time
}

func (f *firstByte) WriteHeader(status int) {
	f.at = time.Now()
	f.ResponseRecorder.WriteHeader(status)
}

func TestDelay(t *testing.T) {
	const lo, hi, work = time.Second, 3 * time.Second, time.Minute
	synctest.Test(t, func(t *testing.T) {
		var log events
		var executed time.Time
		n := newNetwork(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			executed = time.Now()
			time.Sleep(work)
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(reply))
		}), faults.Config{Faults: []faults.Fault{faults.Delay(1, lo, hi)}, Log: log.add})
		kinds := map[string]int{}
		for i := range 20 {
			start := time.Now()
			w := &firstByte{ResponseRecorder: httptest.NewRecorder()}
			if serve(n, w, request(fmt.Sprint(i), "/")) || w.Body.String() != reply || w.Code != http.StatusCreated {
				t.Fatalf("send %d: %d %q", i, w.Code, w.Body)
			}
			before, after := executed.Sub(start), w.at.Sub(executed)-work
			kind, waited, _ := strings.Cut(log.list()[i].Detail, " by ")
			want, err := time.ParseDuration(waited)
			if err != nil || want < lo || want > hi {
				t.Fatalf("send %d: detail %q", i, log.list()[i].Detail)
			}
			kinds[kind]++
			if kind == "the request" && (before != want || after != 0) || kind == "the reply" && (before != 0 || after != want) {
				t.Errorf("send %d: waited %v before and %v after the work, want %s by %v", i, before, after, kind, want)
			}
		}
		if kinds["the request"] == 0 || kinds["the reply"] == 0 || len(kinds) != 2 {
			t.Errorf("delayed %v: want both kinds", kinds)
		}
	})
}

// A delayed request arrives, whole, although its client has gone; a delayed reply waits for nobody.
func TestDelayWhenTheClientHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 10 {
			var bank ledger
			var log events
			var ended error
			n := newNetwork(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				bank.ServeHTTP(w, r)
				ended = r.Context().Err()
			}), faults.Config{Faults: []faults.Fault{faults.Delay(1, time.Hour, time.Hour)}, Log: log.add})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			key := fmt.Sprint(i)
			start := time.Now()
			serve(n, httptest.NewRecorder(), request(key, "/").WithContext(ctx))
			cancel()
			late := log.list()[0].Detail == "the request by 1h0m0s"
			if took := time.Since(start); late && took != time.Hour || !late && took != time.Second {
				t.Errorf("%s: took %v", log.list()[0].Detail, took)
			}
			if got := bank.executed(); len(got) != 1 || got[0] != "body of "+key {
				t.Errorf("%s: executed %q", log.list()[0].Detail, got)
			}
			if late && ended != nil {
				t.Errorf("the delayed request's context: %v", ended)
			}
		}
	})
}

// A reply without a write, and the abort of a lost one, are late too.
func TestDelayOfAnEmptyOrLostReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, lost := range []float64{0, 1} {
			n := newNetwork(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), faults.Config{
				Faults: []faults.Fault{faults.Delay(1, time.Second, time.Second), faults.LoseReply(lost)},
			})
			for i := range 10 {
				start := time.Now()
				serve(n, httptest.NewRecorder(), request(fmt.Sprint(i), "/"))
				if took := time.Since(start); took != time.Second {
					t.Errorf("lost %v, send %d: took %v", lost, i, took)
				}
			}
		}
	})
}

// A forced Close ends a delay; the request is then not delivered.
func TestDelayEndsWithTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 10 {
			var bank ledger
			var log events
			n := newNetwork(t, &bank, faults.Config{Faults: []faults.Fault{faults.Delay(1, time.Hour, time.Hour)}, Log: log.add})
			aborted := make(chan bool, 1)
			go func() { aborted <- serve(n, httptest.NewRecorder(), request(fmt.Sprint(i), "/")) }()
			synctest.Wait()
			if log.list()[0].Detail != "the request by 1h0m0s" {
				<-aborted
				continue
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if err := n.Close(gone); err == nil {
				t.Fatal("Close did not say that it gave up")
			}
			if !<-aborted || len(bank.executed()) != 0 {
				t.Errorf("executed %q", bank.executed())
			}
		}
	})
}

// A delayed reply still streams: Flush reaches the client, and net/http's controller works through the wrapper.
func TestDelayedReplyFlushes(t *testing.T) {
	n := newNetwork(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
			t.Error(err)
		}
	}), faults.Config{
		Faults: []faults.Fault{faults.Delay(1, 1, 1)},
		Sleep:  func(context.Context, time.Duration) error { return nil },
	})
	w := newWire(t, "HTTP/1.1", n)
	for i := range 8 {
		if resp, _, err := w.post(t.Context(), "/", fmt.Sprint(i), "x"); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%v %v", resp, err)
		}
	}
}
