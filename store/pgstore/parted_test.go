package pgstore

import (
	"errors"
	"fmt"
	"strings"
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

// newest is the newest stamp in the partition.
func (o old) newest() store.Time { return o.lapsed.Record.Stamp }

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
	if floor := p.floor(t); floor != o.newest() {
		t.Errorf("the floor is %d, the newest stamp in the dropped partition %d", floor, o.newest())
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
	a, err = p.s.Decide(t.Context(), store.DecideRequest{Identity: o.unknown.Record.Identity, Token: tokenOf(9), Decision: store.DidNotHappen,
		Version: o.unknown.Record.Version,
		Actor:   "ops", Reason: "looked", Window: onceward.DefaultWindow, Guard: onceward.DefaultSkew})
	want(t, a, err, store.Applied)
	wide := claimOf(o.over.Record.Identity, tokenOf(9))
	wide.Window = 1000 * time.Hour // a raised window alone would admit the late copy
	a, err = p.s.Claim(t.Context(), wide)
	want(t, a, err, store.Expired)
	a, err = p.s.Get(t.Context(), o.over.Record.Identity)
	want(t, a, err, store.Expired)
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
	err := p.owner.QueryRow(t.Context(), "SELECT partdefid::int FROM pg_partitioned_table WHERE partrelid = $1::regclass", p.schema+".records").Scan(&defaults)
	if err != nil || defaults != 0 {
		t.Errorf("default partition %d, %v", defaults, err)
	}
}
