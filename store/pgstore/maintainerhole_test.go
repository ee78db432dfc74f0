package pgstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/onceward/onceward/store"
)

var attaching = regexp.MustCompile(`ALTER TABLE [^:;]*`)

// A partition that somebody detaches or renames while its keys are in the window is left alone, its keys are refused and do not run again, and each round says so. All others go
// on: those that are missing are made, those that are over are dropped. Attached again, it is as it was.
func TestPartitionDetachedByHandIsLeftAlone(t *testing.T) {
	for _, which := range []string{"current", "newest", "renamed"} {
		t.Run(which, func(t *testing.T) {
			p := newParted(t)
			now := p.now(t)
			who := identity("k", now)
			a, err := p.s.Claim(t.Context(), claimOf(who, tokenOf(1)))
			want(t, a, err, store.Granted)
			all, _ := p.spans(t)
			gone := p.of(t, now)
			if which == "newest" {
				gone = all[len(all)-1]
			}
			exec(t, p.owner, fmt.Sprintf("ALTER TABLE %[1]s.records DETACH PARTITION %[1]s.%[2]s", p.schema, gone.table()))
			if which == "renamed" {
				exec(t, p.owner, fmt.Sprintf("ALTER TABLE %s.%s RENAME TO looked_at", p.schema, gone.table()))
			}
			var hint string
			for range 3 {
				err := p.maintainer(t, nil).Maintain(t.Context())
				if !errors.Is(err, ErrPartition) {
					t.Fatalf("a round says %v", err)
				}
				hint = attaching.FindString(err.Error())
				if now, others := p.spans(t); slices.Contains(now, gone) || which != "renamed" && !slices.Contains(others, gone) {
					t.Errorf("partitions %v, and tables that are none %v", now, others)
				}
				if floor := p.floor(t); floor >= who.Stamp {
					t.Errorf("the floor is %v ahead of what has gone", floor.Sub(who.Stamp))
				}
			}
			if which != "newest" {
				if a, err = p.s.Claim(t.Context(), claimOf(who, tokenOf(2))); !errors.Is(err, ErrPartition) {
					t.Errorf("a copy of what ran: %v, %v", a.Verdict, err)
				}
			}
			if which == "renamed" {
				exec(t, p.owner, fmt.Sprintf("ALTER TABLE %s.looked_at RENAME TO %s", p.schema, gone.table()))
			}
			exec(t, p.owner, hint)
			p.maintain(t)
			whole(t, p)
			a, err = p.s.Get(t.Context(), who)
			if err != nil || a.Record.State != store.Started {
				t.Errorf("the record is %v, %v", a.Record.State, err)
			}
			exec(t, p.owner, fmt.Sprintf("ALTER TABLE %[1]s.records DETACH PARTITION %[1]s.%[2]s", p.schema, gone.table()))
			move(t, p.s, gone.to.Add(testKeep).Sub(p.now(t)))
			var dropped []span
			err = p.maintainer(t, func(c *MaintainConfig) {
				c.Partition = func(_ context.Context, e PartitionEvent) {
					if e.Dropped {
						dropped = append(dropped, span{store.TimeOf(e.From), store.TimeOf(e.To)})
					}
				}
			}).Maintain(t.Context())
			if err != nil || !slices.Contains(dropped, gone) || !slices.Contains(dropped, all[0]) {
				t.Errorf("when it is over: %v, dropped %v", err, dropped)
			}
			if at := p.bucket(t, who); at != 0 {
				t.Errorf("the open record is in bucket %d", at)
			}
		})
	}
}
