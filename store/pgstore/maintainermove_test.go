package pgstore

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// strays puts n records by hand into the partition of stamp, which no state allows, or whole ones.
func (p *parted) strays(t *testing.T, n int, stamp store.Time, whole bool) {
	t.Helper()
	exec(t, p.owner, fmt.Sprintf(`INSERT INTO %s.records (bucket, id, token, service, principal, key, stamp, first_seen, version, claims, policy, doubted, safe_new_key, state, ended, done_at, purge_at, reply)
		SELECT %[2]d, sha256(('stray' || n)::bytea), '\x0102030405060708090a0b0c0d0e0f10', 'orders', 'alice', n::text::bytea, %[2]d, 1, 1, 1, 0, false, %[4]t, 3, 1, %[2]d, %[2]d + 1000000000000, 'late'
		FROM generate_series(1, %[3]d) n`, p.schema, int64(stamp), n, !whole))
}

// Rows that are as no state allows keep neither their partition nor the others: they move as they are, and somebody is told.
func TestRowsOfNoStateMove(t *testing.T) {
	p := newParted(t)
	stamp := p.now(t)
	p.strays(t, moveBatch+5, stamp, false)
	exec(t, p.owner, fmt.Sprintf("DELETE FROM %s.records WHERE id = sha256('stray7'); ALTER TABLE %[1]s.records DISABLE TRIGGER whole; UPDATE %[1]s.records SET id = '\\x01' WHERE id = sha256('stray8')", p.schema))
	exec(t, p.owner, fmt.Sprintf("ALTER TABLE %s.records ENABLE TRIGGER whole", p.schema))
	o := p.fill(t)
	var alarms []string
	moved := 0
	m := p.maintainer(t, func(c *MaintainConfig) {
		c.Observer.Alarm = func(_ context.Context, e onceward.AlarmEvent) { alarms = append(alarms, fmt.Sprint(e.Alarm, e.Err)) }
		c.Partition = func(_ context.Context, e PartitionEvent) { moved += e.Moved }
	})
	if err := m.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, a := range alarms {
		found = found || strings.Contains(a, fmt.Sprintf("%d rows of %s.%s are as no state allows", moveBatch+4, p.schema, o.partition.table()))
	}
	if !found || moved != moveBatch+4+4 {
		t.Errorf("moved are %d rows; alarms %q", moved, alarms)
	}
	var there int
	if err := p.owner.QueryRow(t.Context(), "SELECT count(*) FROM "+p.schema+".records WHERE stamp = $1 AND bucket = 0 AND safe_new_key", int64(stamp)).Scan(&there); err != nil || there != moveBatch+4 {
		t.Errorf("%d rows are there, %v", there, err)
	}
	exec(t, p.owner, "DELETE FROM "+p.schema+".records WHERE safe_new_key")
	p.survived(t, o)
}

// While a maintainer is long at one partition it makes others, for nobody else can.
func TestPartitionsAreMadeWhileOneIsEmptied(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	p.older(t, o)
	moved := false
	m := p.maintainer(t, func(c *MaintainConfig) {
		c.Every = time.Nanosecond
		c.step = func(of span, step string) error {
			switch {
			case of != o.partition:
			case step == "move live rows":
				move(t, p.s, 3*testWidth) // is how long it takes
				moved = true
			case moved:
				whole := p.now(t).Add(2 * testWidth)
				if attached, _ := p.spans(t); attached[len(attached)-1].to <= whole {
					t.Errorf("before %q the partitions are %v, want them until %d", step, attached, whole)
				}
			}
			return nil
		}
	})
	if err := m.Maintain(t.Context()); err != nil || !moved {
		t.Error(moved, err)
	}
	p.survived(t, o)
}

// Where rows do not move, whatever the reason, a round ends with an error, and other partitions go all the same.
func TestRowsThatDoNotMoveKeepTheirPartitionOnly(t *testing.T) {
	p := newParted(t)
	stamp := p.now(t)
	p.strays(t, 3, stamp, true)
	first := p.of(t, stamp)
	exec(t, p.owner, fmt.Sprintf(`CREATE FUNCTION %[1]s.stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER stay BEFORE DELETE OR UPDATE ON %[1]s.%[2]s FOR EACH ROW EXECUTE FUNCTION %[1]s.stay()`, p.schema, first.table()))
	move(t, p.s, testWidth)
	p.maintain(t)
	o := p.fill(t)
	for range 2 {
		err := p.maintainer(t, nil).Maintain(t.Context())
		if err == nil || !strings.Contains(err.Error(), "3 rows do not move") {
			t.Errorf("a round says %v", err)
		}
		attached, others := p.spans(t)
		if len(others) != 1 || others[0] != first || attached[0].from < o.partition.to {
			t.Errorf("partitions %v, and tables that are none %v", attached, others)
		}
	}
	exec(t, p.owner, fmt.Sprintf("DROP TRIGGER stay ON %s.%s", p.schema, first.table()))
	p.maintain(t)
	p.survived(t, o)
	var there int
	if err := p.owner.QueryRow(t.Context(), "SELECT count(*) FROM "+p.schema+".records WHERE bucket = 0 AND stamp = $1", int64(stamp)).Scan(&there); err != nil || there != 3 {
		t.Errorf("%d of the rows are there, %v", there, err)
	}
}
