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

// What is not given of a partitioned table's configuration stays: another width does not make the window shorter.
func TestPartitionKeepsItsWindow(t *testing.T) {
	db := serving(t)
	schema := db.fresh(t).config.Schema
	if _, ok, err := Partitioning(t.Context(), db.pool, schema); err != nil || ok {
		t.Errorf("a plain table: %v, %v", ok, err)
	}
	for n, c := range []struct{ give, want PartitionConfig }{
		{PartitionConfig{Width: 6 * time.Hour, Window: 72 * time.Hour}, PartitionConfig{Width: 6 * time.Hour, Window: 72 * time.Hour, Skew: 5 * time.Minute}},
		{PartitionConfig{Width: 12 * time.Hour}, PartitionConfig{Width: 12 * time.Hour, Window: 72 * time.Hour, Skew: 5 * time.Minute}},
		{PartitionConfig{Width: 12 * time.Hour, Skew: time.Hour}, PartitionConfig{Width: 12 * time.Hour, Window: 72 * time.Hour, Skew: time.Hour}},
		{PartitionConfig{Width: 12 * time.Hour, Window: 48 * time.Hour}, PartitionConfig{Width: 12 * time.Hour, Window: 48 * time.Hour, Skew: time.Hour}},
	} {
		c.give.Schema, c.give.clock, c.want.Schema = schema, fmt.Sprintf(testClock, schema), schema
		if _, err := Partition(t.Context(), db.owner, c.give); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := Partitioning(t.Context(), db.pool, schema); err != nil || !ok || got != c.want {
			t.Errorf("%d: %+v, %v, %v; want %+v", n, got, ok, err, c.want)
		}
	}
	if _, err := Partition(t.Context(), db.owner, PartitionConfig{Schema: schema, Width: time.Minute}); !errors.Is(err, onceward.ErrConfig) {
		t.Errorf("a width that does not fit the window that is there: %v", err)
	}
	exec(t, db.owner, "DELETE FROM "+schema+".partitioning")
	if _, _, err := Partitioning(t.Context(), db.pool, schema); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), "--apply --partitions") {
		t.Errorf("without a width: %v", err)
	}
	db.partition(t, schema, testWidth) // mends it
	if got, _, err := Partitioning(t.Context(), db.pool, schema); err != nil || got.Window != onceward.DefaultWindow {
		t.Errorf("mended: %+v, %v", got, err)
	}
}

// A store refuses a new stamped key that would be refused as expired within its window: nothing is carried out, and the error says what to do. What is there is
// answered, and a key without a stamp needs no partition.
func TestClaimBeyondThePartitionsWindow(t *testing.T) {
	p := newParted(t)
	now := p.now(t)
	there := claimOf(identity("there", now), tokenOf(1))
	a, err := p.s.Claim(t.Context(), there)
	want(t, a, err, store.Granted)
	long := func(q store.ClaimRequest) store.ClaimRequest {
		q.Window = 72 * time.Hour
		return q
	}
	_, err = p.s.Claim(t.Context(), long(claimOf(identity("new", now), tokenOf(2))))
	if !errors.Is(err, ErrPartition) || !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "--partitions 6h0m0s --window 72h0m0s --skew 1m0s") {
		t.Errorf("a new key: %v", err)
	}
	if a, err := p.s.Get(t.Context(), identity("new", now)); err != nil || a.Record.State != store.Absent {
		t.Errorf("it is %v, %v", a.Record.State, err)
	}
	there.Token = tokenOf(3)
	a, err = p.s.Claim(t.Context(), long(there))
	want(t, a, err, store.InFlight)
	a, err = p.s.Claim(t.Context(), long(claimOf(identity("unstamped", 0), tokenOf(4))))
	want(t, a, err, store.Granted)

	if _, err := onceward.New(p.again(t, p.schema), onceward.Config{Window: 72 * time.Hour}); !errors.Is(err, onceward.ErrConfig) || !strings.Contains(err.Error(), "24h5m0s") {
		t.Errorf("a guard: %v", err)
	}
	g, err := onceward.New(p.again(t, p.schema), onceward.Config{MaintainEvery: onceward.NoMaintenance})
	if err != nil || g.Close(t.Context()) != nil {
		t.Errorf("a guard with the window of the partitions: %v", err)
	}
}

// Processes that run are told when partitions are no longer kept for as long as they have promised; those that have promised less are not bothered.
func TestShorterWindowIsNoticed(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	keep := func(window time.Duration) {
		t.Helper()
		if _, err := Partition(t.Context(), db.owner, PartitionConfig{Schema: b.schema, Width: testWidth, Window: window, clock: fmt.Sprintf(testClock, b.schema)}); err != nil {
			t.Fatal(err)
		}
	}
	keep(72 * time.Hour)
	long := b.keepers(t, TransactConfig{Window: 72 * time.Hour, MaintainEvery: onceward.NoMaintenance})
	short := b.keepers(t, TransactConfig{MaintainEvery: onceward.NoMaintenance})
	s := b.again(t, b.schema)
	now, err := s.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := claimOf(identity("k", now), tokenOf(1))
	q.Window = 72 * time.Hour
	a, err := s.Claim(t.Context(), q)
	want(t, a, err, store.Granted)
	check := func(when string, lowered bool) {
		t.Helper()
		for name, k := range long {
			if err := k.Maintain(t.Context()); errors.Is(err, ErrPartition) != lowered || !lowered && err != nil {
				t.Errorf("%s: %s: %v", when, name, err)
			}
		}
		if _, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1}); errors.Is(err, ErrPartition) != lowered || lowered && !strings.Contains(err.Error(), "24h5m0s") {
			t.Errorf("%s: a store: %v", when, err)
		}
		for name, k := range short {
			if err := k.Maintain(t.Context()); err != nil {
				t.Errorf("%s: %s with the default window: %v", when, name, err)
			}
		}
	}
	check("before", false)
	keep(24 * time.Hour)
	check("lowered", true)
	keep(72 * time.Hour)
	check("raised", false)
}
