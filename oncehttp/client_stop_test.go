package oncehttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// steppedClock passes only while the client sleeps, and as the test says then.
type steppedClock struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
	step func(c *steppedClock, d time.Duration)
}

func newSteppedClock(step func(c *steppedClock, d time.Duration)) *steppedClock {
	return &steppedClock{wall: time.Now(), step: step}
}

func (c *steppedClock) pass(d time.Duration) { c.wall, c.mono = c.wall.Add(d), c.mono+d }

func (c *steppedClock) clock() retry.Clock {
	return retry.Clock{
		Now:       func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.wall },
		Monotonic: func() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.mono },
		Sleep: func(ctx context.Context, d time.Duration) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.step(c, d)
			return ctx.Err()
		},
	}
}

func TestClientDeadlineShorterThanABackoffStopsAtOnce(t *testing.T) {
	s := startTiny(t, func(_ int, w http.ResponseWriter) bool {
		w.Header().Set(HeaderOutcome, OutcomeFreed)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "closed on Sundays")
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	slow := retry.Policy{OverloadBase: time.Minute, Cap: time.Minute}
	client := newTestClient(t, ClientConfig{Policy: slow, Rand: func() float64 { return 0.99 }})
	began := time.Now()
	resp, err := client.Do(post(t, s.URL, "pay 5").WithContext(ctx))
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
	if !errors.Is(err, retry.ErrDeadline) || !errors.Is(err, context.DeadlineExceeded) || onceward.FateOf(err) != onceward.NotExecuted || len(s.called()) != 1 {
		t.Errorf("%v after %d calls", err, len(s.called()))
	}
	if resp == nil || bodyOf(t, resp) != "closed on Sundays" {
		t.Errorf("the last reply was not kept: %v", resp)
	}
}

func TestClientPollsEndWithTheHorizon(t *testing.T) {
	s := startTiny(t, func(_ int, w http.ResponseWriter) bool {
		w.Header().Set("Retry-After", "5")
		return problemReply(w, http.StatusConflict, "in-progress", false)
	})
	clock := newSteppedClock((*steppedClock).pass)
	began := clock.wall
	policy := retry.Policy{Attempts: 2, RetryAfterCap: 20 * time.Second}
	client := newTestClient(t, ClientConfig{Policy: policy, Clock: clock.clock()})
	resp, err := client.Do(post(t, s.URL, "pay 5"))
	took := clock.wall.Sub(began)
	if !errors.Is(err, retry.ErrHorizon) || !errors.Is(err, onceward.ErrInProgress) || onceward.FateOf(err) != onceward.Unknown || resp == nil {
		t.Errorf("%v", err)
	}
	if n := len(s.called()); n < 4 || took > client.Horizon() || took < client.Horizon()-10*time.Second {
		t.Errorf("%d calls in %v, the horizon is %v", n, took, client.Horizon())
	}
}

// A laptop is shut after a reply was lost, and opened when the server has forgotten the key.
func TestClientThatWasSuspendedDoesNotResend(t *testing.T) {
	s := startTiny(t, func(_ int, w http.ResponseWriter) bool { return breakOff(w, "") })
	clock := newSteppedClock(func(c *steppedClock, _ time.Duration) { c.wall = c.wall.Add(25 * time.Hour) })
	client := newTestClient(t, ClientConfig{Clock: clock.clock()})
	op, err := client.Prepare(post(t, s.URL, "pay 5"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err = client.Send(t.Context(), op); onceward.FateOf(err) != onceward.Unknown || len(s.called()) != 1 {
			t.Errorf("%v after %d calls", err, len(s.called()))
		}
	}
	if !errors.Is(err, retry.ErrWindow) || !strings.Contains(err.Error(), "may have forgotten its key") {
		t.Errorf("%v", err)
	}
}

func TestClientClockGoesBack(t *testing.T) {
	s := startTiny(t, func(call int, w http.ResponseWriter) bool { return call == 1 && breakOff(w, "") })
	clock := newSteppedClock(func(c *steppedClock, d time.Duration) { c.wall, c.mono = c.wall.Add(-48*time.Hour), c.mono+d })
	client := newTestClient(t, ClientConfig{Clock: clock.clock()})
	op, err := client.Prepare(post(t, s.URL, "pay 5"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Send(t.Context(), op); err != nil || s.ran() != 1 || len(s.called()) != 2 {
		t.Errorf("%v after %d calls", err, len(s.called()))
	}
	// The wall clock says that the window is long; the other one knows that it is over.
	clock.mono += 25 * time.Hour
	if _, err := client.Send(t.Context(), op); !errors.Is(err, retry.ErrWindow) || len(s.called()) != 2 {
		t.Errorf("%v after %d calls", err, len(s.called()))
	}
}

func TestClientsShareABudgetHostByHost(t *testing.T) {
	s := startTiny(t, func(_ int, w http.ResponseWriter) bool { return breakOff(w, "") })
	budget, err := retry.NewBudget(retry.BudgetConfig{Capacity: 4, PerSecond: retry.Nothing})
	if err != nil {
		t.Fatal(err)
	}
	localhost := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	calls := 0
	for i, c := range []struct {
		url  string
		want int
		stop error
	}{
		{s.URL, 4, retry.ErrAttemptsSpent}, {s.URL, 2, retry.ErrBudgetSpent}, {s.URL, 1, retry.ErrBudgetSpent},
		{localhost, 4, retry.ErrAttemptsSpent}, {strings.Replace(localhost, "localhost", "LocalHost", 1), 2, retry.ErrBudgetSpent},
	} {
		_, err := newTestClient(t, ClientConfig{Budget: budget}).Do(post(t, c.url, "pay 5"))
		if !errors.Is(err, c.stop) || !errors.Is(err, retry.ErrCutOff) || !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%d: %v: the real error must be there too", i, err)
		}
		if n := len(s.called()) - calls; n != c.want {
			t.Errorf("%d: %d calls, want %d", i, n, c.want)
		}
		calls = len(s.called())
	}
}
