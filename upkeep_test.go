package onceward_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// failingPurger removes something, and then fails.
type failingPurger struct {
	now    store.Time
	err    error
	expect store.Time // of the last purge
}

func (p *failingPurger) Purge(_ context.Context, q store.PurgeRequest) (store.PurgeResult, error) {
	p.expect = q.Expect
	return store.PurgeResult{Now: p.now, Removed: 2, More: true}, p.err
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
