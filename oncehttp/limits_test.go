package oncehttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// The tests TestLimit… show where promises of docs/guarantees.md end. They stay green for as long as the limit is there.

// A scope function that does not tell callers apart gives one's reply to the other.
func TestLimitAScopeThatTellsNobodyApart(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "the balance of "+r.Header.Get("X-Name"))
	})
	ask := func(name string) answer { // byUser takes X-User for the principal, which both have from their common proxy
		return s.send(s.request("k1", "{}", func(r *http.Request) { r.Header.Set("X-User", "proxy"); r.Header.Set("X-Name", name) }))
	}
	ask("alice")
	if got := ask("bob"); got.body != "the balance of alice" || s.runs.Load() != 1 {
		t.Errorf("bob got %q after %d runs: the limit is gone", got.body, s.runs.Load())
	}
}

// Headers other than Content-Type do not make another request: what a handler reads there is not compared.
func TestLimitHeadersDoNotTellRequestsApart(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "paid "+r.Header.Get("X-Amount"))
	})
	pay := func(amount string) answer {
		return s.send(s.request("k1", "{}", func(r *http.Request) { r.Header.Set("X-Amount", amount) }))
	}
	pay("5")
	if got := pay("7"); got.body != "paid 5" || got.Header.Get(oncehttp.HeaderReplayed) != "true" {
		t.Errorf("got %q: the limit is gone", got.body)
	}
}

// A handler that stops in the middle and returns in good order, without having said how long its reply is, has its half reply kept.
func TestLimitAHalfReplyWithoutALengthIsSaved(t *testing.T) {
	s := serve(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"rows":[1,2,`) // and its database went away
	})
	s.post("k1", "{}")
	if got := s.post("k1", "{}"); got.body != `{"rows":[1,2,` || s.runs.Load() != 1 {
		t.Errorf("got %q after %d runs: the limit is gone", got.body, s.runs.Load())
	}
}

// A client whose clock was set back while it was off does not know how old its saved operation is. Under an unstamped key, whose record is gone
// by then, the operation runs twice. A right clock keeps it from sending.
func TestLimitAClockSetBackWhileOffHidesTheAge(t *testing.T) {
	var ahead atomic.Int64
	later := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	table := memstore.New(memstore.Config{Clock: later})
	s := serveOn(t, table, onceward.Config{MaintainEvery: onceward.NoMaintenance}, oncehttp.Config{}, created)
	saved := sentAndSaved(t, s)
	ahead.Store(int64(25 * time.Hour))
	if res, err := table.Purge(context.Background(), store.PurgeRequest{Limit: 10}); err != nil || res.Removed != 1 {
		t.Fatalf("purged %+v, %v", res, err)
	}
	_, err := send(t, saved, later)
	if !errors.Is(err, retry.ErrWindow) || s.runs.Load() != 1 {
		t.Errorf("with a right clock: %v, ran %d times", err, s.runs.Load())
	}
	if _, err := send(t, saved, time.Now); err != nil || s.runs.Load() != 2 {
		t.Errorf("with a clock that was set back: %v, ran %d times: the limit is gone", err, s.runs.Load())
	}
}

// sentAndSaved is an operation that has taken effect, in the form in which it was saved before.
func sentAndSaved(t *testing.T, s *served) []byte {
	t.Helper()
	req := s.request("", `{"a":1}`, nil)
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{Keys: onceward.UUIDv4{}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	op, err := client.Prepare(req)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := json.Marshal(op)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Send(t.Context(), op)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return saved
}

// send reads an operation back and sends it, by a client with this clock.
func send(t *testing.T, saved []byte, now func() time.Time) (string, error) {
	t.Helper()
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{Clock: retry.Clock{Now: now}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	var op oncehttp.Operation
	if err := json.Unmarshal(saved, &op); err != nil {
		t.Fatal(err)
	}
	resp, err := client.Send(t.Context(), &op)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return strings.TrimSpace(string(body)), err
}
