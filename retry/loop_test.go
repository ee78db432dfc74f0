package retry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
)

// script is a try that ends as told; the last ending repeats.
type script struct {
	endings []Ending
	took    time.Duration // on the bubble's clock
	calls   int
	at      []time.Duration // since start
	start   time.Time
}

func (s *script) try(ctx context.Context, number int) (string, Ending) {
	if s.calls == 0 {
		s.start = time.Now()
	}
	e := s.endings[min(s.calls, len(s.endings)-1)]
	s.calls++
	s.at = append(s.at, time.Since(s.start))
	if s.took > 0 {
		if sleep(ctx, s.took) != nil {
			return "", Interrupted(ctx, ctx.Err(), false)
		}
	}
	return string(rune('a' + s.calls - 1)), e
}

func highest() float64 { return 1 - 1e-9 }

func newLoop(t *testing.T, c Config) *Loop {
	t.Helper()
	if c.Rand == nil {
		c.Rand = highest
	}
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func fresh() Operation {
	key, err := onceward.NewKey()
	if err != nil {
		panic(err)
	}
	return Operation{Key: key, Minted: true, Host: "bank", History: NewHistory(time.Now(), false)}
}

func replied(e End) Ending { return Ending{End: e, Replied: true} }

func TestLoopRetriesUntilTheRecordAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{endings: []Ending{{End: EndCutOff}, {End: EndCutOff}, replied(EndReplayed)}}
		got, err := Do(t.Context(), newLoop(t, Config{}), fresh(), s.try)
		if err != nil || got != "c" || s.calls != 3 {
			t.Fatalf("%q %v after %d calls", got, err, s.calls)
		}
		if w := s.at[1].Round(time.Millisecond); w != 50*time.Millisecond {
			t.Errorf("first wait %v, want 50ms", w)
		}
		if w := (s.at[2] - s.at[1]).Round(time.Millisecond); w != 100*time.Millisecond {
			t.Errorf("second wait %v, want 100ms", w)
		}
	})
}

func TestLoopStops(t *testing.T) {
	cause := errors.New("the caller's own reason")
	for _, c := range []struct {
		name    string
		config  Config
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		op      func(*Operation)
		endings []Ending
		took    time.Duration
		calls   int
		within  time.Duration
		stop    error // and nil: final
		also    error
		fate    onceward.Fate
		reply   string
	}{
		{name: "attempts spent", endings: []Ending{{End: EndStoreUnavailable}}, calls: 4, within: 7001 * time.Millisecond, stop: ErrAttemptsSpent, also: onceward.ErrStoreUnavailable, fate: onceward.NotExecuted, reply: ""},
		{name: "the last reply is kept, the last error too", endings: []Ending{replied(EndUnavailable), {End: EndCutOff, Err: cause}}, calls: 4, within: 2 * time.Second, stop: ErrAttemptsSpent, also: cause, fate: onceward.Unknown, reply: "a"},
		{name: "final", endings: []Ending{{End: EndCutOff}, replied(EndOutcomeUnknown)}, calls: 2, within: time.Second, also: onceward.ErrOutcomeUnknown, fate: onceward.Unknown, reply: "b"},
		{name: "executed, reply gone", endings: []Ending{replied(EndReplyNotKept)}, calls: 1, also: onceward.ErrReplyNotKept, fate: onceward.Executed, reply: "a"},
		{name: "Retry-After over the cap", endings: []Ending{{End: EndTooMany, RetryAfter: 31 * time.Second}}, calls: 1, stop: ErrRetryAfter, fate: onceward.NotExecuted},
		{name: "Retry-After is a floor", endings: []Ending{{End: EndTooMany, RetryAfter: 20 * time.Second}, replied(EndUnauthorized)}, calls: 2, within: 21 * time.Second, fate: onceward.NotExecuted, reply: "b"},
		{name: "deadline before the next attempt", endings: []Ending{{End: EndStoreUnavailable, RetryAfter: 5 * time.Second}}, calls: 1, within: time.Millisecond,
			ctx: func(c context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(c, 5*time.Second)
			},
			stop: ErrDeadline, also: context.DeadlineExceeded, fate: onceward.NotExecuted},
		{name: "cancelled before it began", endings: []Ending{replied(EndSaved)}, calls: 0,
			ctx: func(c context.Context) (context.Context, context.CancelFunc) {
				c, cancel := context.WithCancelCause(c)
				cancel(cause)
				return c, func() {}
			},
			stop: context.Canceled, also: cause, fate: onceward.NotExecuted},
		{name: "cancelled during an attempt", took: 3 * time.Second, endings: []Ending{replied(EndSaved)}, calls: 1, within: time.Second,
			ctx: func(c context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeoutCause(c, time.Second, cause)
			},
			also: cause, fate: onceward.Unknown},
		{name: "attempts time out", took: time.Minute, endings: []Ending{replied(EndSaved)}, calls: 4, within: 21 * time.Second, stop: ErrAttemptsSpent, also: ErrAttemptTimeout, fate: onceward.Unknown},
		{name: "the horizon ends a poll", endings: []Ending{{End: EndInProgress, RetryAfter: time.Second}}, calls: 67, within: 117 * time.Second, stop: ErrHorizon, also: onceward.ErrInProgress, fate: onceward.Unknown},
		{name: "a learned window shortens", endings: []Ending{{End: EndInProgress, Window: 10 * time.Second}}, calls: 14, within: 10 * time.Second, stop: ErrWindow, also: onceward.ErrInProgress, fate: onceward.Unknown},
		{name: "too old before it began", op: func(o *Operation) { o.History = NewHistory(time.Now().Add(-25*time.Hour), false) }, endings: []Ending{replied(EndSaved)}, calls: 0, stop: ErrWindow, fate: onceward.NotExecuted},
		{name: "the same with an own key", op: func(o *Operation) { o.Minted = false; o.History = NewHistory(time.Now().Add(-25*time.Hour), false) }, endings: []Ending{replied(EndSaved)}, calls: 0, stop: ErrWindow, fate: onceward.Unknown},
		{name: "without a key", op: func(o *Operation) { o.Kind = Unkeyed }, endings: []Ending{{End: EndNotSent}, {End: EndStoreUnavailable}}, calls: 2, within: time.Second, stop: ErrNotRepeatable, fate: onceward.NotExecuted},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if c.ctx != nil {
					ctx, cancel = c.ctx(ctx)
				}
				defer cancel()
				op := fresh()
				if c.op != nil {
					c.op(&op)
				}
				s := &script{endings: c.endings, took: c.took}
				began := time.Now()
				reply, err := Do(ctx, newLoop(t, c.config), op, s.try)
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("%T %v", err, err)
				}
				if onceward.FateOf(err) != c.fate {
					t.Errorf("fate %v, want %v", e.Fate(), c.fate)
				}
				if c.stop == nil && e.Stop != nil || c.stop != nil && !errors.Is(e.Stop, c.stop) {
					t.Errorf("stopped by %v, want %v", e.Stop, c.stop)
				}
				if c.also != nil && !errors.Is(err, c.also) {
					t.Errorf("%v does not wrap %v", err, c.also)
				}
				if s.calls != c.calls || e.Count != c.calls || len(e.Attempts) > MaxAttemptsKept {
					t.Errorf("%d calls, %d counted, %d kept; want %d", s.calls, e.Count, len(e.Attempts), c.calls)
				}
				if !errors.Is(c.stop, ErrAttemptsSpent) && reply != c.reply {
					t.Errorf("reply %q, want %q", reply, c.reply)
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("took %v, want at most %v", took, c.within)
				}
				if strings.Contains(err.Error(), op.Key.Text()) || e.Hint == "" {
					t.Errorf("the key, or no hint, in %v", err)
				}
			})
		})
	}
}

func TestPollsBurnNoAttemptAndNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := NewBudget(BudgetConfig{Capacity: 1, PerSecond: Nothing, PerSuccess: Nothing})
		endings := slices.Repeat([]Ending{{End: EndInProgress}}, 40)
		s := &script{endings: append(endings, replied(EndReplayed))}
		if _, err := Do(t.Context(), newLoop(t, Config{Policy: Policy{Attempts: 2}, Budget: b}), fresh(), s.try); err != nil || s.calls != 41 {
			t.Errorf("%v after %d calls", err, s.calls)
		}
	})
}

func TestASpentBudgetKeepsTheRealError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := NewBudget(BudgetConfig{Capacity: 1, PerSecond: Nothing})
		cause := errors.New("connection reset by peer")
		s := &script{endings: []Ending{{End: EndCutOff, Err: cause}}}
		_, err := Do(t.Context(), newLoop(t, Config{Budget: b}), fresh(), s.try)
		if !errors.Is(err, ErrBudgetSpent) || !errors.Is(err, cause) || !errors.Is(err, ErrCutOff) || s.calls != 2 {
			t.Errorf("%v after %d calls", err, s.calls)
		}
	})
}

// A laptop that is shut for a day after the reply was lost must not send again: the server has forgotten the key.
func TestSuspendAndClockStepsAreNoticed(t *testing.T) {
	for _, c := range []struct {
		name string
		jump func(*handClock)
		stop error
	}{
		{"suspend: only the wall clock goes on", func(h *handClock) { h.wall = h.wall.Add(25 * time.Hour) }, ErrHorizon},
		{"the wall clock is set back", func(h *handClock) { h.wall = h.wall.Add(-25 * time.Hour); h.mono += 3 * time.Minute }, ErrHorizon},
		{"set back, and no time has passed", func(h *handClock) { h.wall = h.wall.Add(-25 * time.Hour) }, nil},
	} {
		hand := newHandClock()
		clock := hand.clock()
		clock.Sleep = func(context.Context, time.Duration) error { c.jump(hand); return nil }
		op := fresh()
		op.History = NewHistory(hand.wall, false)
		s := &script{endings: []Ending{{End: EndCutOff}, replied(EndSaved)}}
		_, err := Do(t.Context(), newLoop(t, Config{Clock: clock}), op, s.try)
		if c.stop == nil && err != nil || c.stop != nil && (!errors.Is(err, c.stop) || s.calls != 1) {
			t.Errorf("%s: %v after %d calls", c.name, err, s.calls)
		}
		if c.stop == nil {
			continue
		}
		// A later Send has a horizon of its own, but the window counts from the mint.
		s = &script{endings: []Ending{replied(EndSaved)}}
		_, err = Do(t.Context(), newLoop(t, Config{Clock: clock}), op, s.try)
		if wantWindow := strings.HasPrefix(c.name, "suspend"); errors.Is(err, ErrWindow) != wantWindow || wantWindow && onceward.FateOf(err) != onceward.Unknown {
			t.Errorf("%s: sent again later: %v", c.name, err)
		}
	}
}

func TestUntilCountsFromTheMint(t *testing.T) {
	hand := newHandClock()
	l := newLoop(t, Config{Clock: hand.clock()})
	h := NewHistory(hand.wall.Add(-time.Hour), true)
	if got := l.Until(h); got != time.Hour+117*time.Second {
		t.Errorf("%v, want 1h1m57s", got)
	}
	hand.pass(23 * time.Hour)
	if got := l.Until(h); got != 24*time.Hour {
		t.Errorf("%v, want the window", got)
	}
}

func TestAPolicyLongerThanTheWindowIsNotBuilt(t *testing.T) {
	_, err := New(Config{Window: time.Minute, Policy: Policy{Base: -1}})
	if err == nil || !strings.Contains(err.Error(), "Config.Window") || !strings.Contains(err.Error(), "Policy.Base") {
		t.Errorf("%v", err)
	}
}

func TestAPanicLeavesTheFateUnknown(t *testing.T) {
	op := fresh()
	func() {
		defer func() { _ = recover() }()
		_, _ = Do(t.Context(), newLoop(t, Config{}), op, func(context.Context, int) (string, Ending) { panic("in a hook") })
	}()
	s := &script{endings: []Ending{{End: EndRefusedHere}}}
	if _, err := Do(t.Context(), newLoop(t, Config{}), op, s.try); onceward.FateOf(err) != onceward.Unknown {
		t.Errorf("%v", err)
	}
}

func TestASafeOperationHasItsLastReplyWithoutError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{endings: []Ending{{End: EndCutOff}, replied(EndUnavailable)}}
		if got, err := Do(t.Context(), newLoop(t, Config{}), Operation{Kind: Safe}, s.try); err != nil || got != "d" {
			t.Errorf("%q %v", got, err)
		}
	})
}

func TestObserverSeesEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []Attempt
		l := newLoop(t, Config{Observer: Observer{Attempt: func(_ context.Context, _ onceward.Key, a Attempt) { seen = append(seen, a) }}})
		s := &script{endings: []Ending{{End: EndCutOff, Sends: 1}, replied(EndSaved)}}
		if _, err := Do(t.Context(), l, fresh(), s.try); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 2 || seen[0].End != EndCutOff || seen[0].Wait == 0 || seen[0].Sends != 1 || seen[1].Number != 2 || seen[1].Next != Final || seen[1].Wait != 0 {
			t.Errorf("%+v", seen)
		}
	})
}
