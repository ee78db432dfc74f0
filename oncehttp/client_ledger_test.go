package oncehttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/faults"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
	"github.com/onceward/onceward/store/memstore"
)

// ledger counts effects by the wish in the body, and deduplicates nothing.
type ledger struct {
	mu      sync.Mutex
	effects map[string]int
}

func (l *ledger) of(wish string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.effects[wish]
}

// freed says whether a wish is refused in a way that leaves no record: nothing happened.
func freed(wish string) bool { return strings.HasSuffix(wish, "7") }

// ServeHTTP does the wish, or ends in one of the ways in which handlers end without it.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	wish := string(body)
	if freed(wish) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	l.mu.Lock()
	l.effects[wish]++
	l.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "done "+wish)
}

// seed returns the one in ONCEWARD_SEED, or a new one, and prints it.
func seed(t *testing.T) uint64 {
	n := rand.Uint64()
	if text := os.Getenv("ONCEWARD_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ONCEWARD_SEED=%d", n)
	return n
}

// faultyBank is a guarded ledger behind a network with every fault at once.
func faultyBank(t *testing.T, book *ledger) (url string, network *faults.Network) {
	t.Helper()
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	scope := func(*http.Request) (onceward.Scope, error) {
		return onceward.Scope{Service: "bank", Principal: "ann"}, nil
	}
	once, err := oncehttp.Middleware(guard, scope, oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	network, err = faults.New(once(book), faults.Config{Seed: seed(t), Faults: []faults.Fault{
		faults.LoseRequest(0.2), faults.LoseReply(0.25), faults.CutReply(0.15), faults.Duplicate(0.2), faults.Delay(0.2, 0, 30*time.Millisecond),
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(network)
	t.Cleanup(func() {
		server.Close()
		_ = network.Close(context.Background())
		_ = guard.Close(context.Background())
	})
	return server.URL, network
}

// Every operation under every fault at once: what each client believes at each moment is what the ledger says.
func TestClientFatesAgreeWithTheLedger(t *testing.T) {
	operations := 500
	if os.Getenv("ONCEWARD_SOAK") != "" {
		operations = 10_000
	}
	book := &ledger{effects: map[string]int{}}
	url, network := faultyBank(t, book)
	budget, err := retry.NewBudget(retry.BudgetConfig{Capacity: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{Budget: budget, Policy: retry.Policy{
		Attempts: 3, AttemptTimeout: 20 * time.Second, Base: time.Millisecond, OverloadBase: time.Millisecond, PollInterval: 2 * time.Millisecond,
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()

	var next, unknowns atomic.Int64
	fates := make([]onceward.Fate, operations)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= operations {
					return
				}
				fates[i] = settle(t, client, book, url, fmt.Sprint("wish ", i), &unknowns)
			}
		})
	}
	all.Wait()
	if err := network.Wait(t.Context()); err != nil { // late copies
		t.Fatal(err)
	}
	for i, fate := range fates {
		wish := fmt.Sprint("wish ", i)
		effects, known := 1, fate == onceward.Executed
		if freed(wish) {
			effects, known = 0, fate != onceward.Executed
		}
		if n := book.of(wish); !known || n != effects {
			t.Errorf("%s: %v, and the ledger has it %d times", wish, fate, n)
		}
	}
	if unknowns.Load() == 0 {
		t.Error("no operation was unknown on the way: the network is too good for this test")
	}
	t.Logf("%d operations, %d times unknown on the way", operations, unknowns.Load())
}

// settle sends one operation until its fate is known, through its saved form as after a crash, and holds each fate against the ledger.
func settle(t *testing.T, client *oncehttp.Client, book *ledger, url, wish string, unknowns *atomic.Int64) onceward.Fate {
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(wish))
	op, err := client.Prepare(req)
	if err != nil {
		t.Error(err)
		return onceward.Unknown
	}
	for range 100 {
		resp, err := client.Send(t.Context(), op)
		fate := onceward.FateOf(err)
		switch n := book.of(wish); {
		case fate == onceward.Executed && n != 1, n > 1:
			t.Errorf("%s: %v, and the ledger has it %d times", wish, fate, n)
		case fate == onceward.NotExecuted && n != 0:
			t.Errorf("%s: not executed, and it is in the ledger", wish)
		}
		if err == nil {
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "done "+wish {
				t.Errorf("%s: %q %v", wish, body, err)
			}
		}
		if fate != onceward.Unknown {
			return fate
		}
		unknowns.Add(1)
		var unknown *oncehttp.UnknownOutcomeError
		if !errors.As(err, &unknown) || unknown.Operation.Key() != op.Key() {
			t.Errorf("%s: %v does not give the operation back", wish, err)
			return fate
		}
		if freed(wish) {
			return fate // no record will ever tell, so its sender cannot know
		}
		text, err := json.Marshal(unknown.Operation)
		op = new(oncehttp.Operation)
		if err := errors.Join(err, json.Unmarshal(text, op)); err != nil {
			t.Error(err)
		}
	}
	return onceward.Unknown
}
