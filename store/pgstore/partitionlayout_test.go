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

// What is in a plain table is found after it was partitioned, by its stamp or without one, with the same privileges; it has not moved.
func TestPartitionKeepsWhatIsThere(t *testing.T) {
	db := serving(t)
	plain := db.fresh(t)
	schema := plain.config.Schema
	now, err := plain.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var before []store.Answer
	for n, stamp := range []store.Time{0, now, now.Add(-time.Hour)} {
		for _, done := range []bool{false, true} {
			token := tokenOf(byte(n + 1))
			a, err := plain.Claim(t.Context(), claimOf(identity(fmt.Sprint("k", n, done), stamp), token))
			want(t, a, err, store.Granted)
			if done {
				a, err = plain.Advance(t.Context(), completeOf(a.Record.Identity, token, "reply"))
				want(t, a, err, store.Applied)
			}
			before = append(before, a)
		}
	}
	sealed, err := plain.Seal(t.Context(), "orders", now.Add(-2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	file := func() (name string) {
		if err := db.owner.QueryRow(t.Context(), "SELECT pg_relation_filepath(tableoid) FROM "+schema+".records LIMIT 1").Scan(&name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	was := file()
	for i, width := range []time.Duration{testWidth, testWidth, 2 * testWidth} {
		c := PartitionConfig{Schema: schema, Width: width, clock: fmt.Sprintf(testClock, schema)}
		changed, err := Partition(t.Context(), db.owner, c)
		if err != nil || changed != (i == 0) {
			t.Fatalf("Partition, time %d: changed %v, %v", i+1, changed, err)
		}
	}
	if is := file(); is != was {
		t.Errorf("the rows were in %s, are in %s", was, is)
	}
	s := db.again(t, schema)
	for _, a := range before {
		got, err := s.Get(t.Context(), a.Record.Identity)
		if err != nil || got.Record.Version != a.Record.Version || got.Record.State != a.Record.State || string(got.Record.Reply) != string(a.Record.Reply) {
			t.Errorf("%+v, %v; want %+v", got.Record, err, a.Record)
		}
		if a.Record.State != store.Done {
			got, err = s.Advance(t.Context(), completeOf(a.Record.Identity, a.Record.Token, "late"))
			want(t, got, err, store.Applied)
		}
	}
	if st, err := s.Stats(t.Context(), "orders"); err != nil || st.Done != int64(len(before)) || st.Watermark < sealed {
		t.Errorf("%+v, %v", st, err)
	}
	var seen int
	if err := db.owner.QueryRow(t.Context(), "SELECT count(*) FROM "+schema+".operations WHERE state = 'done'").Scan(&seen); err != nil || seen != len(before) {
		t.Errorf("people see %d done operations, %v; want %d", seen, err, len(before))
	}
	a, err := s.Claim(t.Context(), claimOf(identity("new", now), tokenOf(9)))
	want(t, a, err, store.Granted)
	p := &parted{db, s, schema}
	if at := p.bucket(t, a.Record.Identity); at != int64(now) {
		t.Errorf("a new stamped record is in bucket %d, want %d", at, now)
	}
	p.maintain(t)
	move(t, s, 20*testWidth)
	p.maintain(t) // makes partitions of the new width, behind the old ones
	attached, _ := p.spans(t)
	if last := attached[len(attached)-1]; last.to.Sub(last.from) != 2*testWidth {
		t.Errorf("the newest partition is %v wide, want %v", last.to.Sub(last.from), 2*testWidth)
	}
}

func TestPartitionRefuses(t *testing.T) {
	db := serving(t)
	schema := db.fresh(t).config.Schema
	for _, c := range []PartitionConfig{
		{}, {Width: time.Second}, {Width: time.Hour, Window: -1}, {Width: time.Hour, Skew: 48 * time.Hour}, {Width: time.Hour, Schema: "no-name"},
	} {
		if _, err := Partition(t.Context(), db.owner, c); !errors.Is(err, onceward.ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := Partition(t.Context(), db.owner, PartitionConfig{Schema: "nowhere", Width: time.Hour}); !errors.Is(err, ErrSchema) {
		t.Errorf("without tables: %v", err)
	}
	if _, err := Partition(t.Context(), db.pool, PartitionConfig{Schema: schema, Width: time.Hour}); !errors.Is(err, ErrGrants) {
		t.Errorf("as the role that serves: %v", err)
	}
	db.partition(t, schema, testWidth)
	if _, err := NewTransactor(t.Context(), db.pool, TransactConfig{Schema: schema, Window: 48 * time.Hour}); err == nil || !strings.Contains(err.Error(), "--window 48h") {
		t.Errorf("a window that is longer than the partitions are kept: %v", err)
	}
}

// A process that has begun on the plain table fails, and executes nothing, once the table is partitioned: each kind of it.
func TestChangedLayoutFailsClosed(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	s := b.again(t, b.schema)
	var alarm onceward.AlarmEvent
	c := TransactConfig{MaintainEvery: onceward.NoMaintenance, Observer: onceward.Observer{Alarm: func(_ context.Context, e onceward.AlarmEvent) { alarm = e }}}
	calls := map[string]func(onceward.Key, onceward.Outcome) error{}
	x := b.transactor(t, db.pool, c)
	calls["pgxpool"] = func(key onceward.Key, out onceward.Outcome) error {
		_, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			if err := b.transfer(ctx, tx, key, 1); err != nil {
				t.Error(err)
			}
			return out
		})
		return err
	}
	for name, pool := range openSQL(t, db.pool) {
		y := b.sqlTransactor(t, pool, c)
		calls["database/sql with "+name] = func(key onceward.Key, out onceward.Outcome) error {
			_, err := y.Transact(t.Context(), callOf(key), b.sqlPay(key, out))
			return err
		}
	}
	reply := onceward.Reply{Status: 201, Body: []byte("paid")}
	held := claimOf(identity("held", 0), tokenOf(1))
	a, err := s.Claim(t.Context(), held)
	want(t, a, err, store.Granted)
	for name, call := range calls { // on the plain table, with prepared statements
		if err := call(keyOf(t, strings.ReplaceAll("before-"+name, " ", "-")), onceward.Save(reply)); err != nil {
			t.Fatal(err)
		}
	}
	exec(t, b.owner, strings.ReplaceAll("DELETE FROM {s}.ledger; UPDATE {s}.accounts SET balance = 0", "{s}", b.schema))
	db.partition(t, b.schema, testWidth)
	for name, call := range calls {
		for n, out := range []onceward.Outcome{onceward.Save(reply), onceward.Reject(reply)} {
			alarm = onceward.AlarmEvent{}
			err := call(keyOf(t, strings.ReplaceAll(fmt.Sprint("after-", n, name), " ", "-")), out)
			var told *onceward.Error
			if !errors.Is(err, onceward.ErrStoreUnavailable) || !errors.Is(err, ErrPartition) || !errors.As(err, &told) ||
				told.RetryAfter == 0 || !strings.Contains(err.Error(), "start it anew") {
				t.Errorf("%s: %v", name, err)
			}
			if alarm.Alarm != AlarmPartition {
				t.Errorf("%s: alarm %+v", name, alarm)
			}
		}
	}
	b.balance(t)
	_, err = s.Claim(t.Context(), claimOf(identity("k", 0), tokenOf(1)))
	if !errors.Is(err, ErrPartition) || !errors.Is(err, store.ErrFull) {
		t.Errorf("a store's claim: %v", err)
	}
	a, err = s.Advance(t.Context(), completeOf(held.Identity, held.Token, "what was begun is saved"))
	want(t, a, err, store.Applied)
}
