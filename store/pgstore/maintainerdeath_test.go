package pgstore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

var steps = []string{"raise the floor", "wait for older transactions", "move live rows", "detach", "move stragglers", "drop"}

// A maintainer that dies before any of its steps leaves what the next one finishes; in between nothing is forgotten.
func TestMaintainerDiesBetweenSteps(t *testing.T) {
	for _, at := range steps {
		t.Run(at, func(t *testing.T) {
			p := newParted(t)
			o := p.fill(t)
			pool := open(t, p.owner.Config().ConnString())
			m := p.maintainerOn(t, pool, func(c *MaintainConfig) {
				c.step = func(of span, step string) error {
					if of == o.partition && step == at {
						exec(t, p.owner, fmt.Sprintf(`SELECT pg_terminate_backend(l.pid) FROM pg_locks l
							WHERE locktype = 'advisory' AND classid = %d AND l.pid <> pg_backend_pid()`, lockPartitions))
					}
					return nil
				}
			})
			if err := m.Maintain(t.Context()); err == nil {
				t.Fatal("the maintainer has lost its connection, and says that all went well")
			}
			_, others := p.spans(t)
			if detached := slices.Index(steps, at) > slices.Index(steps, "detach"); detached != (len(others) == 1) {
				t.Errorf("left detached: %v", others)
			}
			for name, r := range map[string]store.Answer{"recent": o.recent, "unknown": o.unknown, "started": o.started} {
				if a, err := p.s.Get(t.Context(), r.Record.Identity); err != nil || a.Record.State == store.Absent {
					t.Errorf("the %s record after the maintainer's death: %v, %v", name, a.Verdict, err)
				}
			}
			eventually(t, p.tables, "the lock of the dead is gone",
				"SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::int::oid)", lockPartitions)
			p.maintain(t)
			p.survived(t, o)
		})
	}
}

// A DETACH that was interrupted leaves a partition that is half detached; the next round finishes it.
func TestInterruptedDetachIsFinished(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	p.older(t, o)
	reader := newRival(t, p.tables, p.s)
	m := p.maintainer(t, func(c *MaintainConfig) {
		c.Patience = time.Second
		c.step = func(of span, step string) error {
			if of == o.partition && step == "detach" {
				reader.do("SELECT count(*) FROM " + p.schema + ".records") // holds the table, as a dump does
			}
			return nil
		}
	})
	if err := m.Maintain(t.Context()); err != nil {
		t.Fatalf("there is time, nobody need look: %v", err)
	}
	if _, others := p.spans(t); len(others) != 1 {
		t.Fatalf("half detached are %v, want one", others)
	}
	reader.commit()
	p.maintain(t)
	p.survived(t, o)
}

// A row that is written into the partition after the others have moved, by a transaction that has taken very long, is found before the table is dropped.
func TestStragglersAreMoved(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	late := identity("late", o.over.Record.Stamp+100)
	m := p.maintainer(t, func(c *MaintainConfig) {
		c.step = func(of span, step string) error {
			if of == o.partition && step == "detach" {
				r := newRival(t, p.tables, p.s)
				r.do(fmt.Sprintf(`INSERT INTO %s.records (bucket, id, token, service, principal, key, stamp, first_seen, version, claims,
						policy, doubted, safe_new_key, state, ended, done_at, purge_at, reply)
					VALUES ($1, $2, $3, 'orders', 'alice', 'late', $1, 1, 1, 1, 0, false, false, 3, 1, $4, $5, 'late')`, p.schema),
					int64(late.Stamp), late.ID[:], tokenBytes(7), int64(p.now(t)), int64(p.now(t).Add(testKeep)))
				r.commit()
			}
			return nil
		}
	})
	if err := m.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, err := p.s.Claim(t.Context(), claimOf(late, tokenOf(8)))
	if want(t, a, err, store.Replay); string(a.Record.Reply) != "late" {
		t.Errorf("replayed is %q", a.Record.Reply)
	}
	p.survived(t, o)
}
