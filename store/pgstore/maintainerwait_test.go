package pgstore

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whoever looks through a snapshot from before the floor was raised could take a dropped record for one that was never there: it is waited for.
func TestOlderSnapshotsAreWaitedFor(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	p.older(t, o)
	for name, begin := range map[string]func(*rival){
		"a snapshot": func(r *rival) {
			r.do("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
			r.do("SELECT 1")
		},
		"a number": func(r *rival) { r.do("SELECT pg_current_xact_id()") },
	} {
		r := newRival(t, p.tables, p.s)
		begin(r)
		m := p.maintainer(t, func(c *MaintainConfig) {
			c.Patience = time.Second
			c.step = func(of span, step string) error {
				if step == "detach" || step == "move live rows" {
					t.Errorf("%s: the maintainer goes on to %q", name, step)
				}
				return nil
			}
		})
		if err := m.Maintain(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if floor := p.floor(t); floor != o.newest() {
			t.Errorf("%s: the floor is %d, want %d", name, floor, o.newest())
		}
		r.commit()
	}
	idle := newRival(t, p.tables, p.s) // has seen nothing
	p.maintain(t)
	idle.commit()
	p.survived(t, o)
}

// If a partition cannot be dropped for as long as it is wide, somebody has to look.
func TestPartitionThatCannotGoIsAnError(t *testing.T) {
	p := newParted(t)
	p.older(t, p.fill(t))
	move(t, p.s, testWidth)
	r := newRival(t, p.tables, p.s)
	r.do("SELECT pg_current_xact_id()")
	err := p.maintainer(t, func(c *MaintainConfig) { c.Patience = time.Second }).Maintain(t.Context())
	if !errors.Is(err, errBusy) || !strings.Contains(err.Error(), "pg_stat_activity") {
		t.Errorf("%v", err)
	}
}

// Before anything else the floor is raised, for all to see; and a step that has read it, and has yet to write, is waited for.
func TestFloorIsRaisedFirst(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	p.older(t, o)
	step := newRival(t, p.tables, p.s)
	step.do(p.s.sql.lockStep, 1, 2, 3)
	seen := make(chan string, len(steps))
	m := p.maintainer(t, func(c *MaintainConfig) {
		c.step = func(of span, step string) error {
			if floor := p.floor(t); step != "raise the floor" && floor != o.newest() {
				t.Errorf("before %q of %v the floor is %d", step, of, floor)
			}
			if of == o.partition {
				seen <- step
			}
			return nil
		}
	})
	ended := make(chan error, 1)
	go func() { ended <- m.Maintain(t.Context()) }()
	somebodyWaits(t, p.tables)
	if floor := p.floor(t); floor >= o.newest() {
		t.Errorf("the floor is %d while a step is under way", floor)
	}
	step.commit()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(seen)
	var order []string
	for step := range seen {
		order = append(order, step)
	}
	if !slices.Equal(order, steps) {
		t.Errorf("steps %q, want %q", order, steps)
	}
	p.survived(t, o)
}
