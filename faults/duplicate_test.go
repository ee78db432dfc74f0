package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/onceward/onceward/faults"
)

func TestDuplicate(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			var bank ledger
			n := newNetwork(t, &bank, faults.Config{Faults: []faults.Fault{faults.Duplicate(1)}})
			w := newWire(t, protocol, n)
			for i := range 10 { // both kinds
				resp, body, err := w.post(t.Context(), "/pay", fmt.Sprint(i), fmt.Sprintf("%d EUR", i))
				if err != nil || resp.StatusCode != http.StatusCreated || body != reply {
					t.Fatalf("client: %v %q %v", resp, body, err)
				}
			}
			if err := n.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			count := map[string]int{}
			for _, body := range bank.executed() {
				count[body]++
			}
			for i := range 10 {
				if got := count[fmt.Sprintf("%d EUR", i)]; got != 2 {
					t.Errorf("%d EUR executed %d times, want 2", i, got)
				}
			}
		})
	}
}

// keyFor returns a key whose first arrival is duplicated as detail says.
func keyFor(t *testing.T, detail string) string {
	t.Helper()
	for i := range 64 {
		var log events
		n := newNetwork(t, &ledger{}, faults.Config{Faults: []faults.Fault{faults.Duplicate(1)}, Log: log.add})
		key := fmt.Sprint("key ", i)
		serve(n, httptest.NewRecorder(), request(key, "/"))
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if log.list()[0].Detail == detail {
			return key
		}
	}
	t.Fatalf("no key is duplicated %q", detail)
	return ""
}

// The two are truly under way together: neither ends before the other has begun.
func TestDuplicateAtTheSameTime(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	n := newNetwork(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		both.Done()
		both.Wait()
	}), faults.Config{Faults: []faults.Fault{faults.Duplicate(1)}})
	if serve(n, httptest.NewRecorder(), request(keyFor(t, "at the same time"), "/")) {
		t.Error("aborted")
	}
	if err := n.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The copy comes after the first has ended, as the client sent it. The client has its reply meanwhile, and Close waits
// for the copy, whose context goes on.
func TestDuplicateAfterwardsIsWaitedFor(t *testing.T) {
	key := keyFor(t, "afterwards")
	held := make(chan struct{})
	seen := make(chan string, 3)
	n := newNetwork(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- r.Header.Get("Idempotency-Key") + ": " + string(body)
		if r.Header.Set("Idempotency-Key", "changed by the upstream"); len(seen) == 1 {
			for range 100 { // a copy that does not wait for the first's end would come between
				runtime.Gosched()
			}
			seen <- "the first ends"
			return
		}
		<-held
		if err := r.Context().Err(); err != nil {
			t.Errorf("the copy's context ended with the client's: %v", err)
		}
	}), faults.Config{Faults: []faults.Fault{faults.Duplicate(1)}})
	ctx, hangUp := context.WithCancel(t.Context())
	serve(n, httptest.NewRecorder(), request(key, "/").WithContext(ctx))
	hangUp()

	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no patience"))
	if err := n.Wait(gone); err == nil || err.Error() != "no patience" {
		t.Fatalf("Wait with a copy under way: %v", err)
	}
	close(held)
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := key + ": body of " + key
	if got, want := [3]string{<-seen, <-seen, <-seen}, [3]string{sent, "the first ends", sent}; got != want {
		t.Errorf("saw %q, want %q", got, want)
	}
}

// Each duplicate is one delivery more and each lost request one less, also on the same arrival.
func TestDuplicateAndLoseRequestAddUp(t *testing.T) {
	var bank ledger
	var log events
	n := newNetwork(t, &bank, faults.Config{
		Seed:   3,
		Faults: []faults.Fault{faults.Duplicate(0.5), faults.LoseRequest(0.4), faults.LoseReply(0.2), faults.CutReply(0.2)},
		Log:    log.add,
	})
	const sends = 300
	aborted := 0
	for i := range sends {
		if serve(n, httptest.NewRecorder(), request(fmt.Sprint(i), "/")) {
			aborted++
		}
	}
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range log.list() {
		count[e.Fault]++
	}
	if want := sends + count["duplicate"] - count["lose-request"]; len(bank.executed()) != want {
		t.Errorf("executed %d, want %d (%v)", len(bank.executed()), want, count)
	}
	if want := count["lose-request"] + count["lose-reply"] + count["cut-reply"]; aborted != want {
		t.Errorf("aborted %d, want %d (%v)", aborted, want, count)
	}
}

// A request that is too large to keep passes once and whole, and the log says so.
func TestDuplicateSkipsWhatIsTooLarge(t *testing.T) {
	for size, times := range map[int]int{100: 2, 101: 1, 100_000: 1} {
		var bank ledger
		var log events
		n := newNetwork(t, &bank, faults.Config{Faults: []faults.Fault{faults.Duplicate(1)}, MaxBody: 100, Log: log.add})
		w := newWire(t, "HTTP/1.1", n)
		body := strings.Repeat("x", size)
		if _, got, err := w.post(t.Context(), "/", "k", body); err != nil || got != reply {
			t.Fatalf("%d bytes: %q %v", size, got, err)
		}
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := bank.executed()
		if len(got) != times || got[0] != body {
			t.Errorf("%d bytes: executed %d times, want %d", size, len(got), times)
		}
		if e := log.list(); len(e) != 1 || e[0].Skipped != (times == 1) {
			t.Errorf("%d bytes: log %v", size, e)
		}
	}
}

// A panic in a copy is reported where net/http reports panics, and does not end the process.
func TestDuplicatePanic(t *testing.T) {
	var report bytes.Buffer
	var once sync.Mutex
	first := true
	n := newNetwork(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Lock()
		defer once.Unlock()
		if !first {
			panic("second delivery")
		}
		first = false
	}), faults.Config{Faults: []faults.Fault{faults.Duplicate(1)}})
	server := &http.Server{ErrorLog: log.New(&report, "", 0)}
	r := request(keyFor(t, "afterwards"), "/")
	serve(n, httptest.NewRecorder(), r.WithContext(context.WithValue(t.Context(), http.ServerContextKey, server)))
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(report.String(), "second delivery") {
		t.Errorf("report: %q", report.String())
	}
}
