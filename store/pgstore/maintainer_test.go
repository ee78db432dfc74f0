package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// What is over falls with its partition; what is open, unknown or done only now stays, in the plain partition, as it is.
func TestOldPartitionIsDropped(t *testing.T) {
	p := newParted(t)
	o := p.nearly(t)
	p.maintain(t)
	if attached, _ := p.spans(t); !slices.Contains(attached, o.partition) {
		t.Fatal("a partition was dropped before its time")
	}
	move(t, p.s, 2*time.Minute)
	p.maintain(t)
	p.survived(t, o)
	if r, err := p.s.Purge(t.Context(), store.PurgeRequest{Limit: 10}); err != nil || r.Removed != 0 {
		t.Errorf("purged %+v, %v; none of the moved rows is over", r, err)
	}
	move(t, p.s, 2*testKeep)
	p.maintain(t) // removes what was moved, when it is over, as every process that serves does
	if at := p.bucket(t, o.recent.Record.Identity); at != -1 {
		t.Errorf("the moved record is still there, in bucket %d", at)
	}
	if at := p.bucket(t, o.lapsed.Record.Identity); at != 0 {
		t.Errorf("the open record is in bucket %d, want 0", at)
	}
}

// Several maintainers at once do it once.
func TestMaintainersOfPartitionsAtOnce(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	var all sync.WaitGroup
	for range 4 {
		m := p.maintainer(t, nil)
		all.Go(func() {
			for range 3 {
				if err := m.Maintain(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	p.survived(t, o)
	whole(t, p)
}

// Partitions are made two widths ahead, in one piece; and after any pause none is made below the watermark, nor for stamps that are out of the window.
func TestPartitionsAreMadeAhead(t *testing.T) {
	p := newParted(t)
	whole(t, p)
	for _, pause := range []time.Duration{time.Hour, testWidth, 5 * testWidth, 100 * testWidth, 0} {
		move(t, p.s, pause)
		p.maintain(t)
		whole(t, p)
		attached, _ := p.spans(t)
		if n := len(attached); n < 7 || n > 9 {
			t.Errorf("after %v there are %d partitions", pause, n)
		}
		a, err := p.s.Claim(t.Context(), claimOf(identity(fmt.Sprint("k", pause), p.now(t)), tokenOf(1)))
		want(t, a, err, store.Granted)
	}
}

// No partition is made below the watermark, also if somebody has dropped all of them and wants a longer window.
func TestNoPartitionBelowTheFloor(t *testing.T) {
	p := newParted(t)
	p.fill(t)
	p.maintain(t)
	attached, _ := p.spans(t)
	for _, s := range attached {
		exec(t, p.owner, "DROP TABLE "+p.schema+"."+s.table())
	}
	longer := PartitionConfig{Schema: p.schema, Width: testWidth, Window: 5 * testKeep, clock: fmt.Sprintf(testClock, p.schema)}
	if _, err := Partition(t.Context(), p.owner, longer); err != nil {
		t.Fatal(err)
	}
	if now, _ := p.spans(t); now[0].from != p.floor(t)+1 {
		t.Errorf("the first partition begins at %d, the floor is %d", now[0].from, p.floor(t))
	}
	whole(t, p)
}

// A server whose clock is not that of the maintainer, or has jumped, loses nothing.
func TestMaintainerRefusesAClockJump(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	attached, _ := p.spans(t)
	wrong := p.maintainer(t, func(c *MaintainConfig) { c.wall = func() time.Time { return p.now(t).Std().Add(-time.Hour) } })
	if err := wrong.Maintain(t.Context()); !errors.Is(err, store.ErrClock) {
		t.Errorf("a server that is an hour ahead: %v", err)
	}
	alarms := make(chan onceward.AlarmEvent, 1)
	running, stop := context.WithCancel(t.Context())
	wrong.config.Observer.Alarm = func(_ context.Context, e onceward.AlarmEvent) {
		alarms <- e
		stop()
	}
	wrong.Run(running)
	if e := <-alarms; e.Alarm != onceward.AlarmClock {
		t.Errorf("alarm %+v", e)
	}
	if now, _ := p.spans(t); !slices.Equal(now[:len(attached)], attached) || p.floor(t) >= o.partition.from {
		t.Errorf("partitions %v, were %v; floor %d", now, attached, p.floor(t))
	}
	jumped := p.maintainer(t, nil)
	if err := jumped.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	move(t, p.s, 100*testWidth)
	if err := jumped.Maintain(t.Context()); !errors.Is(err, store.ErrClock) {
		t.Errorf("a jump between two rounds: %v", err)
	}
	p.survived(t, o)
}

// A record that may run again, and whose partition is gone, is carried out by a transactor: its new record stays where the old one was.
func TestTransactorTakesOverAMovedRecord(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	db.partition(t, b.schema, testWidth)
	p := &parted{db, b.again(t, b.schema), b.schema}
	c := TransactConfig{MaintainEvery: onceward.NoMaintenance}
	calls := map[string]func(onceward.Key) (onceward.Result, error){}
	x := b.transactor(t, db.pool, c)
	calls["pgxpool"] = func(key onceward.Key) (onceward.Result, error) {
		return x.Transact(t.Context(), callOf(key), b.pay(key))
	}
	for name, pool := range openSQL(t, db.pool) {
		y := b.sqlTransactor(t, pool, c)
		calls["database/sql with "+name] = func(key onceward.Key) (onceward.Result, error) {
			return y.Transact(t.Context(), callOf(key), b.sqlPay(key, onceward.Save(onceward.Reply{})))
		}
	}
	keys := map[string]onceward.Key{}
	for name := range calls {
		key, err := onceward.TypeID{Clock: func() time.Time { return p.now(t).Std() }}.Mint()
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
		q := claimOf(callOf(key).Scope.Identity(key), tokenOf(1))
		q.Policy, q.Lease, q.Fingerprints = store.Rerun, time.Minute, callOf(key).Fingerprint.Versions()
		a, err := p.s.Claim(t.Context(), q)
		want(t, a, err, store.Granted)
	}
	move(t, p.s, 2*testKeep)
	p.maintain(t)
	var paid []string
	for name, call := range calls {
		key := keys[name]
		if result, err := call(key); err != nil || result.Replayed {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
		if result, err := call(key); err != nil || !result.Replayed {
			t.Errorf("%s, again: %+v, %v", name, result, err)
		}
		if at := p.bucket(t, callOf(key).Scope.Identity(key)); at != 0 {
			t.Errorf("%s: the record is in bucket %d", name, at)
		}
		paid = append(paid, key.Text())
	}
	b.balance(t, paid...)
}

// Rows of a plain table are safe from a clock that is wrong, too.
func TestMaintainerOfAPlainTableRefusesAClockJump(t *testing.T) {
	b := newBank(t, serving(t))
	b.due(t, 3)
	p := &parted{b.tables, b.again(t, b.schema), b.schema}
	wrong := p.maintainer(t, func(c *MaintainConfig) { c.wall = func() time.Time { return p.now(t).Std().Add(-time.Hour) } })
	if err := wrong.Maintain(t.Context()); !errors.Is(err, store.ErrClock) {
		t.Error(err)
	}
	if records, _, _ := b.left(t); records != 3 {
		t.Errorf("%d records are left", records)
	}
	p.maintain(t)
	if records, marks, watermark := b.left(t); records != 0 || marks != 0 || watermark != 3 {
		t.Errorf("left are %d records, %d marks, watermark %d", records, marks, watermark)
	}
}
