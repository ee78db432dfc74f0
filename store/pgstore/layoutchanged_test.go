package pgstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// A process that began on the plain table removes nothing once the table is partitioned, and says so: by each way to purge. On a partitioned table a row's ctid
// is not its own, and what was plain is not all that is there.
func TestPurgeAfterTheLayoutChanged(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	s := b.again(t, b.schema)
	c := TransactConfig{MaintainEvery: onceward.NoMaintenance}
	keepers := b.keepers(t, c)
	purges := map[string]purging{"Store": s}
	for name, pool := range openSQL(t, db.pool) {
		purges["database/sql with "+name] = b.sqlTransactor(t, pool, c).upkeep.Purger.(*sqlPurger)
	}
	const rows = 10 // of each: over in the plain partition, live in a new one, at the same places
	b.due(t, rows)
	db.partition(t, b.schema, testWidth)
	p := &parted{db, b.again(t, b.schema), b.schema}
	stamp := p.now(t)
	for n := range rows {
		a, err := p.s.Claim(t.Context(), claimOf(identity(fmt.Sprint("live", n), stamp+store.Time(n)), tokenOf(byte(n+1))))
		want(t, a, err, store.Granted)
	}
	var shared int
	if err := db.owner.QueryRow(t.Context(), strings.ReplaceAll("SELECT count(*) FROM {s}.records a JOIN {s}.records b ON a.ctid = b.ctid WHERE a.bucket = 0 AND b.bucket <> 0", "{s}", b.schema)).
		Scan(&shared); err != nil || shared == 0 {
		t.Fatalf("%d live rows are at the place of one that is over, %v", shared, err)
	}
	now := stamp.Add(time.Minute)
	for name, way := range purges {
		if n, err := way.purgeSome(t.Context(), now, 2*rows); err != nil || n != 0 { // it looked at the layout before the change
			t.Errorf("%s: removed %d, %v", name, n, err)
		}
	}
	for name, k := range keepers {
		if err := k.Maintain(t.Context()); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "start this process anew") {
			t.Errorf("%s: maintenance says %v", name, err)
		}
	}
	if _, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 2 * rows}); !errors.Is(err, ErrSchema) {
		t.Errorf("a store's purge: %v", err)
	}
	if n := b.records(t, "true"); n != 2*rows {
		t.Errorf("%d records are left, want %d", n, 2*rows)
	}
	if err := p.maintainer(t, nil).Maintain(t.Context()); err != nil {
		t.Error(err)
	}
	if n := b.records(t, "bucket = 0"); n != 0 {
		t.Errorf("%d records that are over are left after a round of a process that began anew", n)
	}
}
