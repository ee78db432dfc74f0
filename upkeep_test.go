package onceward_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// failingPurger removes something, and fails.
type failingPurger struct {
	now    store.Time
	err    error
	takes  time.Duration
	left   int        // batches of two; after them there are more, which it cannot remove
	expect store.Time // of the last purge
}

func (p *failingPurger) Purge(_ context.Context, q store.PurgeRequest) (store.PurgeResult, error) {
	time.Sleep(p.takes)
	p.expect = q.Expect
	removed := min(2, 2*p.left)
	p.left = max(p.left-1, 0)
	return store.PurgeResult{Now: p.now, Removed: removed, More: true}, p.err
}

func (p *failingPurger) Stats(context.Context, string) (store.Stats, error) {
	return store.Stats{Unknown: 1, OldestUnknown: p.now}, nil
}

// A purge that fails hides no unknown operation, and no jump of the clock; one that is refused because of the clock ends the round.
func TestAFailedPurgeHidesNothing(t *testing.T) {
	p := &failingPurger{now: store.TimeOf(time.Now()), err: errors.New("broken")}
	var told []onceward.UpkeepEvent
	var alarms []onceward.Alarm
	m := &onceward.Maintenance{Purger: p, Every: time.Minute, StoreTimeout: time.Minute, Skew: time.Minute, Observer: onceward.Observer{
		Upkeep: func(_ context.Context, e onceward.UpkeepEvent) { told = append(told, e) },
		Alarm:  func(_ context.Context, e onceward.AlarmEvent) { alarms = append(alarms, e.Alarm) },
	}}
	for n := range 2 {
		p.left = 1
		if err := m.Round(t.Context()); !errors.Is(err, p.err) {
			t.Errorf("the round says %v", err)
		}
		if len(told) != n+1 || told[n].Removed != 2 || told[n].Stats.Unknown != 1 || len(alarms) != n+1 || alarms[n] != onceward.AlarmUnknown {
			t.Errorf("told are %+v and %v", told, alarms)
		}
	}
	if p.expect == 0 {
		t.Error("the second purge knows nothing of the clock of the first")
	}
	p.err = store.ErrClock
	if err := m.Round(t.Context()); !errors.Is(err, store.ErrClock) || len(told) != 2 || len(alarms) != 2 {
		t.Errorf("%v; told are %+v and %v", err, told, alarms)
	}
	before := p.expect
	p.now += 1000 * store.Time(time.Hour.Milliseconds())
	_ = m.Round(t.Context())
	if _ = m.Round(t.Context()); p.expect > before+store.Time(time.Minute.Milliseconds()) {
		t.Error("a clock that was refused is the new base")
	}
}

// A part of a store that fails keeps the rest neither from being emptied in one round nor, for ever, from being counted: after Every the round goes on to that.
func TestAPurgeThatFailsInPartGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told onceward.UpkeepEvent
		m := &onceward.Maintenance{Every: time.Minute, StoreTimeout: time.Minute, Skew: time.Minute, Observer: onceward.Observer{
			Upkeep: func(_ context.Context, e onceward.UpkeepEvent) { told = e },
		}}
		for _, c := range []struct{ batches, removed int }{{0, 0}, {1, 2}, {20, 40}, {1000, 120}} {
			p := &failingPurger{now: store.TimeOf(time.Now()), err: errors.New("a node is down"), takes: time.Second, left: c.batches}
			m.Purger = p
			if err := m.Round(t.Context()); !errors.Is(err, p.err) || told.Removed != c.removed {
				t.Errorf("%d batches: removed are %d, want %d; %v", c.batches, told.Removed, c.removed, err)
			}
		}
	})
}

// slowPurger is a store that reads its clock at the beginning of a purge, or at its end, and takes its time in between.
type slowPurger struct {
	failingPurger
	takes  time.Duration
	late   bool
	jumped time.Duration // its clock
}

func (p *slowPurger) Purge(_ context.Context, q store.PurgeRequest) (res store.PurgeResult, _ error) {
	if p.late {
		time.Sleep(p.takes)
	}
	res.Now = store.TimeOf(time.Now().Add(p.jumped))
	if off := res.Now.Sub(q.Expect); q.Expect != 0 && off.Abs() > q.Tolerance {
		return res, store.ErrClock
	}
	if !p.late {
		time.Sleep(p.takes)
	}
	return res, nil
}

// A purge that takes longer than the skew is no jump of the clock, whenever the store has looked at it; a jump after the next quick one is.
func TestASlowPurgeIsNoJumpOfTheClock(t *testing.T) {
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := &slowPurger{late: late}
			m := &onceward.Maintenance{Purger: p, StoreTimeout: time.Hour, Skew: time.Minute}
			p.takes = 10 * time.Minute
			for n := range 4 {
				if err := m.Round(t.Context()); err != nil {
					t.Errorf("late %v, round %d: %v", late, n, err)
				}
				p.takes = 0
				time.Sleep(time.Minute)
			}
			p.jumped = 61 * time.Second
			if err := m.Round(t.Context()); !errors.Is(err, store.ErrClock) {
				t.Errorf("late %v: a jump passes: %v", late, err)
			}
		})
	}
}
