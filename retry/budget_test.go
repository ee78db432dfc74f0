package retry

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// handClock is a clock that a test moves by hand; its two faces may differ.
type handClock struct {
	wall time.Time
	mono time.Duration
}

func newHandClock() *handClock {
	return &handClock{wall: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
}

func (h *handClock) pass(d time.Duration) {
	h.wall = h.wall.Add(d)
	h.mono += d
}

func (h *handClock) clock() Clock {
	return Clock{Now: func() time.Time { return h.wall }, Monotonic: func() time.Duration { return h.mono }}
}

func TestBudgetRunsOutAndRefills(t *testing.T) {
	hand := newHandClock()
	b, err := NewBudget(BudgetConfig{Capacity: 3, Clock: hand.clock()})
	if err != nil {
		t.Fatal(err)
	}
	taken := func(host string) (n int) {
		for b.take(host) {
			n++
		}
		return n
	}
	if n := taken("a"); n != 3 {
		t.Errorf("a full bucket gave %d, want 3", n)
	}
	if n := taken("b"); n != 3 {
		t.Errorf("another host's bucket gave %d, want 3", n)
	}
	for range 10 {
		b.success("a")
	}
	if n := taken("a"); n != 1 {
		t.Errorf("ten successes gave back %d, want 1", n)
	}
	hand.pass(2 * time.Second)
	if n := taken("a"); n != 2 {
		t.Errorf("two seconds gave back %d, want 2", n)
	}
	hand.pass(time.Hour)
	if n := taken("a"); n != 3 {
		t.Errorf("an hour gave back %d, want the capacity, 3", n)
	}
}

func TestBudgetBoundsItsHosts(t *testing.T) {
	hand := newHandClock()
	b, err := NewBudget(BudgetConfig{Capacity: 2, MaxHosts: 8, Clock: hand.clock()})
	if err != nil {
		t.Fatal(err)
	}
	granted := 0
	for i := range 1000 {
		if b.take(fmt.Sprint("host", i)) {
			granted++
		}
		b.success(fmt.Sprint("other", i))
	}
	if len(b.buckets) > 8 {
		t.Errorf("%d buckets, want at most 8", len(b.buckets))
	}
	// 8 hosts with their own, and what the shared bucket and the thousand successes into it allow.
	if granted < 10 || granted > 8+2+101 {
		t.Errorf("%d retries granted", granted)
	}
	hand.pass(time.Minute)
	if !b.take("new") || b.buckets["new"] == nil {
		t.Error("the full buckets were not forgotten")
	}
}

func TestBudgetConfigReportsEveryFault(t *testing.T) {
	_, err := NewBudget(BudgetConfig{Capacity: math.NaN(), PerSuccess: -2, PerSecond: math.Inf(1), MaxHosts: -1})
	for _, field := range []string{"Capacity", "PerSuccess", "PerSecond", "MaxHosts"} {
		if err == nil || !strings.Contains(err.Error(), "BudgetConfig."+field+" is ") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
	b, err := NewBudget(BudgetConfig{Capacity: 1, PerSuccess: Nothing, PerSecond: Nothing})
	if err != nil {
		t.Fatal(err)
	}
	if b.take("a"); b.take("a") {
		t.Error("a budget that nothing refills was refilled")
	}
}
