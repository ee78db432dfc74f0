package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

const (
	testWidth = 6 * time.Hour
	testKeep  = onceward.DefaultWindow + onceward.DefaultSkew
)

// parted is a partitioned table of a test.
type parted struct {
	tables
	s      *Store
	schema string
}

func newParted(t testing.TB) *parted {
	t.Helper()
	db := serving(t)
	schema := db.fresh(t).config.Schema
	db.partition(t, schema, testWidth)
	return &parted{db, db.again(t, schema), schema}
}

// now is the server's clock.
func (p *parted) now(t testing.TB) store.Time {
	t.Helper()
	now, err := p.s.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return now
}

// maintainer is a process of its own, whose clock is right.
func (p *parted) maintainer(t testing.TB, change func(*MaintainConfig)) *Maintainer {
	t.Helper()
	return p.maintainerOn(t, p.owner, change)
}

func (p *parted) maintainerOn(t testing.TB, pool *pgxpool.Pool, change func(*MaintainConfig)) *Maintainer {
	t.Helper()
	c := MaintainConfig{Schema: p.schema, clock: fmt.Sprintf(testClock, p.schema), wall: func() time.Time { return p.now(t).Std() }}
	if change != nil {
		change(&c)
	}
	m, err := NewMaintainer(t.Context(), pool, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (p *parted) maintain(t testing.TB) {
	t.Helper()
	if err := p.maintainer(t, nil).Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// oldest is the partition of the stamp, with its name.
func (p *parted) of(t testing.TB, stamp store.Time) (s span) {
	t.Helper()
	var name string
	if err := p.owner.QueryRow(t.Context(), "SELECT tableoid::regclass::text FROM "+p.schema+".records WHERE stamp = $1 LIMIT 1", int64(stamp)).Scan(&name); err != nil {
		t.Fatal(err)
	}
	s, err := spanOf(strings.TrimPrefix(name, p.schema+"."))
	if err != nil || stamp < s.from || stamp >= s.to {
		t.Fatalf("a record of stamp %d is in %s, %v", stamp, name, err)
	}
	return s
}

// spans are the partitions in their order, and tables of that name which are none.
func (p *parted) spans(t testing.TB) (attached, others []span) {
	t.Helper()
	rows, err := p.owner.Query(t.Context(), `SELECT c.relname, i.inhrelid IS NOT NULL AND NOT i.inhdetachpending FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
		WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND c.relname ~ '^records_[0-9]+_[0-9]+$' ORDER BY 1`, p.schema)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var is bool
		if err := rows.Scan(&name, &is); err != nil {
			t.Fatal(err)
		}
		s, err := spanOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if is {
			attached = append(attached, s)
		} else {
			others = append(others, s)
		}
	}
	return attached, others
}

func (p *parted) floor(t testing.TB) (floor store.Time) {
	t.Helper()
	if err := p.owner.QueryRow(t.Context(), "SELECT coalesce(max(watermark), 0) FROM "+p.schema+".watermarks WHERE service = ''").Scan(&floor); err != nil {
		t.Fatal(err)
	}
	return floor
}

// bucket is where the record of an operation is: 0, or its stamp; -1: nowhere.
func (p *parted) bucket(t testing.TB, who store.Identity) (bucket int64) {
	t.Helper()
	if err := p.owner.QueryRow(t.Context(), "SELECT coalesce((SELECT bucket FROM "+p.schema+".records WHERE id = $1), -1)", who.ID[:]).Scan(&bucket); err != nil {
		t.Fatal(err)
	}
	return bucket
}

// older drops what is over before the partition of o.
func (p *parted) older(t testing.TB, o old) {
	t.Helper()
	stop := errors.New("that is it")
	err := p.maintainer(t, func(c *MaintainConfig) {
		c.step = func(of span, _ string) error {
			if of == o.partition {
				return stop
			}
			return nil
		}
	}).Maintain(t.Context())
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
}

// old are the records of a partition that is about to be over.
type old struct {
	over, recent, unknown, started, lapsed store.Answer
	partition                              span
}

// fill is nearly, a little later: the partition is over.
func (p *parted) fill(t testing.TB) old {
	t.Helper()
	return p.later(t, p.nearly(t))
}

func (p *parted) later(t testing.TB, o old) old {
	t.Helper()
	move(t, p.s, 2*time.Minute)
	return o
}

// nearly makes records in one partition, of every kind, and lets time go by until the partition is over in a minute: one record is over, the others are not.
func (p *parted) nearly(t testing.TB) old {
	t.Helper()
	stamp := p.now(t)
	who := func(n int) store.Identity { return identity(fmt.Sprint("k", n), stamp+store.Time(n)) }
	claim := func(n int, change func(*store.ClaimRequest)) store.Answer {
		q := claimOf(who(n), tokenOf(byte(n)))
		if change != nil {
			change(&q)
		}
		a, err := p.s.Claim(t.Context(), q)
		return want(t, a, err, store.Granted)
	}
	complete := func(a store.Answer) store.Answer {
		q := completeOf(a.Record.Identity, a.Record.Token, "reply of "+a.Record.Key)
		q.Guard = onceward.DefaultSkew
		a, err := p.s.Advance(t.Context(), q)
		return want(t, a, err, store.Applied)
	}
	var o old
	o.over = complete(claim(1, nil))
	o.recent = claim(2, func(q *store.ClaimRequest) { q.Lease = 1000 * time.Hour })
	o.unknown = claim(3, func(q *store.ClaimRequest) { q.Lease = time.Minute })
	o.started = claim(4, func(q *store.ClaimRequest) { q.Lease = 1000 * time.Hour })
	o.lapsed = claim(5, func(q *store.ClaimRequest) { q.Start, q.Lease = false, time.Minute })
	o.partition = p.of(t, o.over.Record.Stamp)
	move(t, p.s, o.partition.to.Add(testKeep).Sub(p.now(t))-time.Minute)
	o.recent = complete(o.recent)
	return o
}

// survived fails unless all that must outlive the partition did, and can be settled.
func (p *parted) survived(t testing.TB, o old) {
	t.Helper()
	if attached, others := p.spans(t); len(attached) == 0 || attached[0].from < o.partition.to || len(others) != 0 {
		t.Fatalf("partitions %v, and tables that are none %v; want none up to %v", attached, others, o.partition)
	}
	if floor := p.floor(t); floor < o.partition.to-1 {
		t.Errorf("the floor is %d, below the dropped partition's %d", floor, o.partition.to-1)
	}
	for name, a := range map[string]store.Answer{"recent": o.recent, "unknown": o.unknown, "started": o.started, "lapsed": o.lapsed} {
		if at := p.bucket(t, a.Record.Identity); at != 0 {
			t.Errorf("the %s record is in bucket %d, want 0", name, at)
		}
		got, err := p.s.Get(t.Context(), a.Record.Identity)
		if r := got.Record; err != nil || r.Token != a.Record.Token || r.Version != a.Record.Version || r.Lease != a.Record.Lease || string(r.Reply) != string(a.Record.Reply) {
			t.Errorf("the %s record is %+v, %v; want %+v", name, got.Record, err, a.Record)
		}
	}
	a, err := p.s.Claim(t.Context(), claimOf(o.recent.Record.Identity, tokenOf(9)))
	if want(t, a, err, store.Replay); string(a.Record.Reply) != "reply of "+o.recent.Record.Key {
		t.Errorf("replayed is %q", a.Record.Reply)
	}
	a, err = p.s.Advance(t.Context(), completeOf(o.started.Record.Identity, o.started.Record.Token, "late"))
	want(t, a, err, store.Applied)
	a, err = p.s.Decide(t.Context(), store.DecideRequest{Identity: o.unknown.Record.Identity, Token: tokenOf(9), Decision: store.DidNotHappen, Version: o.unknown.Record.Version,
		Actor: "ops", Reason: "looked", Window: onceward.DefaultWindow, Guard: onceward.DefaultSkew})
	want(t, a, err, store.Applied)
	wide := claimOf(o.over.Record.Identity, tokenOf(9))
	wide.Window = 1000 * time.Hour // a raised window alone would admit the late copy
	a, err = p.s.Claim(t.Context(), wide)
	want(t, a, err, store.Expired)
	a, err = p.s.Get(t.Context(), o.over.Record.Identity)
	want(t, a, err, store.Expired)
}

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
						exec(t, p.owner, "SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE locktype = 'advisory' AND classid = "+itoa(int64(lockPartitions))+" AND l.pid <> pg_backend_pid()")
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
			eventually(t, p.tables, "the lock of the dead is gone", "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::int::oid)", lockPartitions)
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
		c.Patience = 200 * time.Millisecond
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

// Whoever looks through a snapshot from before the floor was raised could take a dropped record for one that was never there: it is waited for.
func TestOlderSnapshotsAreWaitedFor(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	p.older(t, o)
	for name, begin := range map[string]func(*rival){
		"a snapshot": func(r *rival) {
			r.do("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
			r.do("SELECT 1")
		},
		"a number": func(r *rival) { r.do("SELECT pg_current_xact_id()") },
	} {
		r := newRival(t, p.tables, p.s)
		begin(r)
		m := p.maintainer(t, func(c *MaintainConfig) {
			c.Patience = 100 * time.Millisecond
			c.step = func(of span, step string) error {
				if step == "detach" || step == "move live rows" {
					t.Errorf("%s: the maintainer goes on to %q", name, step)
				}
				return nil
			}
		})
		if err := m.Maintain(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if floor := p.floor(t); floor != o.partition.to-1 {
			t.Errorf("%s: the floor is %d, want %d", name, floor, o.partition.to-1)
		}
		r.commit()
	}
	idle := newRival(t, p.tables, p.s) // has seen nothing
	p.maintain(t)
	idle.commit()
	p.survived(t, o)
}

// If a partition cannot be dropped for as long as it is wide, somebody has to look.
func TestPartitionThatCannotGoIsAnError(t *testing.T) {
	p := newParted(t)
	p.older(t, p.fill(t))
	move(t, p.s, testWidth)
	r := newRival(t, p.tables, p.s)
	r.do("SELECT pg_current_xact_id()")
	err := p.maintainer(t, func(c *MaintainConfig) { c.Patience = 50 * time.Millisecond }).Maintain(t.Context())
	if !errors.Is(err, errBusy) || !strings.Contains(err.Error(), "pg_stat_activity") {
		t.Errorf("%v", err)
	}
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
				r.do(fmt.Sprintf(`INSERT INTO %s.records (bucket, id, token, service, principal, key, stamp, first_seen, version, claims, policy, doubted, safe_new_key, state, ended, done_at, purge_at, reply)
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

// Before anything else the floor is raised, for all to see; and a step that has read it, and has yet to write, is waited for.
func TestFloorIsRaisedFirst(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	p.older(t, o)
	step := newRival(t, p.tables, p.s)
	step.do(p.s.sql.lockStep, 1, 2, 3)
	seen := make(chan string, len(steps))
	m := p.maintainer(t, func(c *MaintainConfig) {
		c.step = func(of span, step string) error {
			if floor := p.floor(t); step != "raise the floor" && floor != of.to-1 {
				t.Errorf("before %q of %v the floor is %d", step, of, floor)
			}
			if of == o.partition {
				seen <- step
			}
			return nil
		}
	})
	ended := make(chan error, 1)
	go func() { ended <- m.Maintain(t.Context()) }()
	somebodyWaits(t, p.tables)
	if floor := p.floor(t); floor >= o.partition.to-1 {
		t.Errorf("the floor is %d while a step is under way", floor)
	}
	step.commit()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(seen)
	var order []string
	for step := range seen {
		order = append(order, step)
	}
	if !slices.Equal(order, steps) {
		t.Errorf("steps %q, want %q", order, steps)
	}
	p.survived(t, o)
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

// whole fails unless the partitions are in one piece from the floor to two widths ahead, each wider than nothing, and none is a default.
func whole(t *testing.T, p *parted) {
	t.Helper()
	attached, others := p.spans(t)
	if len(attached) == 0 || len(others) != 0 {
		t.Fatalf("partitions %v, others %v", attached, others)
	}
	for i, s := range attached {
		if s.to <= s.from || i > 0 && s.from != attached[i-1].to {
			t.Errorf("partitions are not in one piece: %v", attached)
		}
	}
	if first := attached[0].from; first <= p.floor(t) {
		t.Errorf("the first partition begins at %d, at or below the floor %d", first, p.floor(t))
	}
	if last := attached[len(attached)-1].to; last <= p.now(t).Add(onceward.DefaultSkew).Add(2*testWidth) {
		t.Errorf("the last partition ends at %d, now is %d", last, p.now(t))
	}
	var defaults int
	if err := p.owner.QueryRow(t.Context(), "SELECT partdefid::int FROM pg_partitioned_table WHERE partrelid = $1::regclass", p.schema+".records").Scan(&defaults); err != nil || defaults != 0 {
		t.Errorf("default partition %d, %v", defaults, err)
	}
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
	if _, err := Partition(t.Context(), p.owner, PartitionConfig{Schema: p.schema, Width: testWidth, Window: 10 * testKeep, clock: fmt.Sprintf(testClock, p.schema)}); err != nil {
		t.Fatal(err)
	}
	if now, _ := p.spans(t); len(now) != len(attached) {
		t.Errorf("partitions %v, were %v", now, attached)
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
	if now, _ := p.spans(t); !slices.Equal(now, attached) || p.floor(t) >= o.partition.from {
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
