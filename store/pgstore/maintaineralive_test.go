package pgstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// Whatever keeps a maintainer from removing anything, it makes partitions: else nobody could serve before the day is over.
func TestPartitionsAreMadeWhateverFails(t *testing.T) {
	for name, broken := range map[string]func(*parted) *Maintainer{
		"its machine has slept": func(p *parted) *Maintainer { // the clocks agree; its monotonic one stood still
			m := p.maintainer(t, nil)
			if err := m.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			return m
		},
		"its clock is wrong": func(p *parted) *Maintainer {
			return p.maintainer(t, func(c *MaintainConfig) { c.wall = func() time.Time { return p.now(t).Std().Add(time.Hour) } })
		},
		"no purge": func(p *parted) *Maintainer {
			m := p.maintainer(t, nil)
			exec(t, p.owner, "DROP TABLE "+p.schema+".marks")
			return m
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParted(t)
			m := broken(p)
			for range 6 {
				move(t, p.s, 5*time.Hour)
				if err := m.Maintain(t.Context()); err == nil || name != "no purge" && !errors.Is(err, store.ErrClock) {
					t.Errorf("the round says %v", err)
				}
				if now := p.now(t); name != "no purge" {
					a, err := p.s.Claim(t.Context(), claimOf(identity(fmt.Sprint("k", now), now), tokenOf(1)))
					want(t, a, err, store.Granted)
				}
				whole(t, p)
			}
			if floor := p.floor(t); floor != 0 {
				t.Errorf("something was dropped: the floor is %d", floor)
			}
		})
	}
}
