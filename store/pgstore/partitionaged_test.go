package pgstore

import (
	"context"
	"testing"

	"github.com/onceward/onceward"
)

// Processes that take the time in a UUIDv7 for its mint time and those that do not, as in the middle of a restart that switches it on or off, carry an operation out
// once, in either order: transactors of each kind, and guards. And the maintainer moves what there is when its partition is over.
func TestUUIDv7AgedIsSwitched(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	db.partition(t, b.schema, testWidth)
	p := &parted{db, b.again(t, b.schema), b.schema}
	type process struct {
		name string
		do   func(onceward.Key) (onceward.Result, error)
	}
	kinds := map[string][2]process{} // the second is aged
	for aged, name := range []string{"unaged", "aged"} {
		c := TransactConfig{UUIDv7Aged: aged == 1, MaintainEvery: onceward.NoMaintenance}
		add := func(kind string, do func(onceward.Key) (onceward.Result, error)) {
			both := kinds[kind]
			both[aged] = process{kind + ", " + name, do}
			kinds[kind] = both
		}
		x := b.transactor(t, db.pool, c)
		add("pgxpool", func(key onceward.Key) (onceward.Result, error) {
			return x.Transact(t.Context(), callOf(key), b.pay(key))
		})
		for driver, pool := range openSQL(t, db.pool) {
			y := b.sqlTransactor(t, pool, c)
			add("database/sql with "+driver, func(key onceward.Key) (onceward.Result, error) {
				return y.Transact(t.Context(), callOf(key), b.sqlPay(key, onceward.Save(onceward.Reply{Status: 201})))
			})
		}
		g, err := onceward.New(b.again(t, b.schema), onceward.Config{UUIDv7Aged: aged == 1, MaintainEvery: onceward.NoMaintenance})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.Close(context.Background()) })
		add("guard", func(key onceward.Key) (onceward.Result, error) {
			return g.Do(t.Context(), callOf(key), func(ctx context.Context, _ onceward.Attempt) onceward.Outcome {
				if _, err := db.pool.Exec(ctx, "INSERT INTO "+b.schema+".names VALUES ($1)", key.Text()); err != nil { // a primary key
					t.Error(err)
				}
				return onceward.Save(onceward.Reply{Status: 201})
			})
		})
	}
	var paid []string
	var keys []onceward.Key
	for kind, both := range kinds {
		for first := range 2 {
			key, err := onceward.UUIDv7{}.Mint()
			if err != nil {
				t.Fatal(err)
			}
			for n, at := range []int{first, 1 - first, first} {
				if result, err := both[at].do(key); err != nil || result.Replayed != (n > 0) {
					t.Errorf("send %d, to %s: replayed %v, %v", n+1, both[at].name, result.Replayed, err)
				}
			}
			keys = append(keys, key)
			if kind != "guard" {
				paid = append(paid, key.Text())
			}
		}
	}
	b.balance(t, paid...)
	if n := b.records(t, "true"); n != len(keys) {
		t.Errorf("%d records of %d operations", n, len(keys))
	}
	exec(t, db.owner, "UPDATE "+b.schema+".records SET purge_at = purge_at + 1000000000") // done only now, say
	move(t, p.s, 2*testKeep)
	p.maintain(t)
	for _, key := range keys {
		if at := p.bucket(t, callOf(key).Scope.Identity(key)); at != 0 {
			t.Errorf("the record of %v is in bucket %d, want 0", key, at)
		}
	}
	for _, both := range kinds {
		for _, to := range both {
			for _, key := range keys {
				if result, err := to.do(key); err != nil || !result.Replayed {
					t.Errorf("after it was moved, to %s: replayed %v, %v", to.name, result.Replayed, err)
				}
			}
		}
	}
}
