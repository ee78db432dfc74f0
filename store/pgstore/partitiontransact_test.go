package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// A key whose stamp is above the newest partition is refused, with 503 and an alarm, and executes nothing; maintenance of those who serve has said so before.
func TestAboveTheNewestPartition(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	db.partition(t, b.schema, testWidth)
	p := &parted{db, b.again(t, b.schema), b.schema}
	alarms := 0
	c := TransactConfig{MaintainEvery: onceward.NoMaintenance, Observer: onceward.Observer{Alarm: func(_ context.Context, e onceward.AlarmEvent) {
		if e.Alarm == AlarmPartition {
			alarms++
		}
	}}}
	x := b.transactor(t, db.pool, c)
	attached, _ := p.spans(t)
	newest := attached[len(attached)-1].to
	if err := x.Maintain(t.Context()); err != nil {
		t.Error(err)
	}
	move(t, p.s, newest.Sub(p.now(t))-testWidth+time.Minute)
	for name, k := range b.keepers(t, c) {
		if err := k.Maintain(t.Context()); !errors.Is(err, ErrPartition) {
			t.Errorf("%s: with less than a width ahead maintenance says %v", name, err)
		}
	}
	move(t, p.s, newest.Sub(p.now(t))+time.Minute)
	stamped := func() onceward.Key {
		key, err := onceward.TypeID{Clock: func() time.Time { return p.now(t).Std() }}.Mint()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key := stamped()
	_, err := x.Transact(t.Context(), callOf(key), b.pay(key))
	if !errors.Is(err, onceward.ErrStoreUnavailable) || !errors.Is(err, ErrPartition) || alarms != 1 {
		t.Errorf("%v, %d alarms", err, alarms)
	}
	if _, err := p.s.Claim(t.Context(), claimOf(identity("k", p.now(t)), tokenOf(1))); !errors.Is(err, store.ErrFull) || !errors.Is(err, ErrPartition) {
		t.Errorf("a store's claim: %v", err)
	}
	unstamped := keyOf(t, "unstamped")
	if _, err := x.Transact(t.Context(), callOf(unstamped), b.pay(unstamped)); err != nil {
		t.Errorf("an unstamped key needs no partition: %v", err)
	}
	b.balance(t, "unstamped")
	p.maintain(t)
	if _, err := x.Transact(t.Context(), callOf(key), b.pay(key)); err != nil {
		t.Errorf("after maintenance: %v", err)
	}
	b.balance(t, "unstamped", key.Text())
}

// Stamped keys are carried out once in partitions, at each isolation level and by each driver: saved, rejected, freed, replayed, and held if the function ends its
// transaction.
func TestTransactInPartitions(t *testing.T) {
	db := serving(t)
	for _, isolation := range isolations {
		b := newBank(t, db)
		db.partition(t, b.schema, testWidth)
		c := TransactConfig{Isolation: isolation, MaintainEvery: onceward.NoMaintenance}
		calls := map[string]func(onceward.Key, onceward.Outcome) (onceward.Result, error){}
		x := b.transactor(t, db.pool, c)
		calls["pgxpool"] = func(key onceward.Key, out onceward.Outcome) (onceward.Result, error) {
			return x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
				if err := b.transfer(ctx, tx, key, 1); err != nil {
					t.Error(err)
				}
				return out
			})
		}
		for name, pool := range openSQL(t, db.pool) {
			y := b.sqlTransactor(t, pool, c)
			calls["database/sql with "+name] = func(key onceward.Key, out onceward.Outcome) (onceward.Result, error) {
				return y.Transact(t.Context(), callOf(key), b.sqlPay(key, out))
			}
		}
		for name, call := range calls {
			t.Run(fmt.Sprint(isolation, " ", name), func(t *testing.T) {
				mint := func() onceward.Key {
					key, err := onceward.TypeID{}.Mint()
					if err != nil {
						t.Fatal(err)
					}
					return key
				}
				reply := onceward.Reply{Status: 201, Body: []byte("paid")}
				saved, rejected, freed := mint(), mint(), mint()
				for _, k := range []struct {
					key onceward.Key
					out onceward.Outcome
				}{{saved, onceward.Save(reply)}, {rejected, onceward.Reject(reply)}, {freed, onceward.Free(reply)}} {
					if result, err := call(k.key, k.out); err != nil || result.Replayed {
						t.Fatalf("%+v, %v", result, err)
					}
				}
				b.balance(t, saved.Text())
				for _, key := range []onceward.Key{saved, rejected} {
					if result, err := call(key, onceward.Save(reply)); err != nil || !result.Replayed {
						t.Errorf("sent again: %+v, %v", result, err)
					}
					p := &parted{db, b.again(t, b.schema), b.schema}
					who := callOf(key).Scope.Identity(key)
					if at := p.bucket(t, who); at != int64(who.Stamp) || at == 0 {
						t.Errorf("the record of stamp %d is in bucket %d", who.Stamp, at)
					}
				}
				if result, err := call(freed, onceward.Save(reply)); err != nil || result.Replayed {
					t.Errorf("freed, sent again: %+v, %v", result, err)
				}
				b.balance(t, saved.Text(), freed.Text())
				exec(t, b.owner, strings.ReplaceAll("DELETE FROM {s}.ledger; UPDATE {s}.accounts SET balance = 0", "{s}", b.schema))
			})
		}
	}
}

// While nobody makes partitions, rounds of those who serve count what is left, and notice a clock that jumps.
func TestMissingPartitionsHideNothing(t *testing.T) {
	b := newBank(t, serving(t))
	b.partition(t, b.schema, testWidth)
	s := b.again(t, b.schema)
	lost := claimOf(identity("lost", 0), tokenOf(1))
	lost.Lease = time.Second
	a, err := s.Claim(t.Context(), lost)
	want(t, a, err, store.Granted)
	move(t, s, 17*time.Hour)
	told := map[onceward.Alarm]int{}
	observer := onceward.Observer{
		Upkeep: func(_ context.Context, e onceward.UpkeepEvent) { told["upkeep"] += int(e.Stats.Unknown) },
		Alarm:  func(_ context.Context, e onceward.AlarmEvent) { told[e.Alarm]++ },
	}
	for name, x := range b.keepers(t, TransactConfig{MaintainEvery: onceward.NoMaintenance, Observer: observer}) {
		clear(told)
		if err := x.Maintain(t.Context()); !errors.Is(err, ErrPartition) || told["upkeep"] != 1 || told[onceward.AlarmUnknown] != 1 {
			t.Errorf("%s: %v; told %v", name, err, told)
		}
		move(t, s, 10*time.Minute)
		if err := x.Maintain(t.Context()); !errors.Is(err, store.ErrClock) {
			t.Errorf("%s, after a jump: %v", name, err)
		}
	}
}
