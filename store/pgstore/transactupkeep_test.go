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

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// keeper is what both kinds of transactors can.
type keeper interface {
	Maintain(ctx context.Context) error
	Guarantee() onceward.Guarantee
	Close(ctx context.Context) error
}

// keepers are transactors of every kind on the bank's tables.
func (b *bank) keepers(t *testing.T, c TransactConfig) map[string]keeper {
	all := map[string]keeper{"pgxpool": b.transactor(t, b.pool, c)}
	for name, db := range openSQL(t, b.pool) {
		all["database/sql with "+name] = b.sqlTransactor(t, db, c)
	}
	return all
}

// due puts n records into the table whose time is over, and as many marks. Their stamps are 1 to n.
func (b *bank) due(t testing.TB, n int) {
	t.Helper()
	finish(t, b.tables, b.again(t, b.schema), "bank", n)
	exec(t, b.owner, fmt.Sprintf("INSERT INTO %s.marks SELECT n, sha256(n::text::bytea), decode(md5(n::text), 'hex') FROM generate_series(1, %d) n", b.schema, n))
}

// left is how many records, and marks, of the bank are left, and its watermark.
func (b *bank) left(t testing.TB) (records, marks, watermark int) {
	t.Helper()
	if err := b.owner.QueryRow(t.Context(), strings.ReplaceAll(`SELECT (SELECT count(*) FROM {s}.records), (SELECT count(*) FROM {s}.marks),
		coalesce((SELECT watermark FROM {s}.watermarks WHERE service = 'bank'), 0)`, "{s}", b.schema)).Scan(&records, &marks, &watermark); err != nil {
		t.Fatal(err)
	}
	return records, marks, watermark
}

// A round removes all that is over, records and marks, raises the watermark to the newest stamp removed, and tells the observer.
func TestMaintainPurges(t *testing.T) {
	const n = 2*batch + 7
	b := newBank(t, serving(t))
	var told []onceward.UpkeepEvent
	var alarms []onceward.AlarmEvent
	observer := onceward.Observer{
		Upkeep: func(_ context.Context, e onceward.UpkeepEvent) { told = append(told, e) },
		Alarm:  func(_ context.Context, e onceward.AlarmEvent) { alarms = append(alarms, e) },
	}
	for name, x := range b.keepers(t, TransactConfig{MaintainEvery: onceward.NoMaintenance, Observer: observer}) {
		t.Run(name, func(t *testing.T) {
			told, alarms = nil, nil
			exec(t, b.owner, strings.ReplaceAll("DELETE FROM {s}.records; DELETE FROM {s}.watermarks", "{s}", b.schema))
			b.due(t, n)
			a, err := b.again(t, b.schema).Claim(t.Context(), store.ClaimRequest{Identity: identity("open", 0), Token: tokenOf(1), Lease: time.Millisecond, Window: time.Hour,
				Guard: time.Minute, Start: true})
			want(t, a, err, store.Granted)
			move(t, b.again(t, b.schema), time.Second)
			if err := x.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if records, marks, watermark := b.left(t); records != 1 || marks != 0 || watermark != n {
				t.Errorf("left are %d records, the open one among them, %d marks, watermark %d; want 1, 0, %d", records, marks, watermark, n)
			}
			if len(told) != 1 || told[0].Removed != n || told[0].Stats.Unknown != 1 || told[0].Stats.Bytes == 0 {
				t.Errorf("the observer was told %+v", told)
			}
			if len(alarms) != 1 || alarms[0].Alarm != onceward.AlarmUnknown {
				t.Errorf("alarms: %+v", alarms)
			}
			if err := x.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := x.Maintain(t.Context()); !errors.Is(err, onceward.ErrClosed) {
				t.Errorf("closed: %v", err)
			}
		})
	}
}

// By itself a transactor purges every MaintainEvery, and nobody has to ask; with NoMaintenance its guarantee says that somebody else must.
func TestTransactorMaintainsByItself(t *testing.T) {
	b := newBank(t, serving(t))
	b.due(t, 3)
	for name, x := range b.keepers(t, TransactConfig{MaintainEvery: onceward.NoMaintenance}) {
		if !slices.ContainsFunc(x.Guarantee().Weakened, func(s string) bool { return strings.Contains(s, "does not purge") }) {
			t.Errorf("%s: %s", name, x.Guarantee())
		}
	}
	if records, _, _ := b.left(t); records != 3 {
		t.Fatalf("NoMaintenance: %d records left", records)
	}
	rounds := make(chan onceward.UpkeepEvent, 1)
	observer := onceward.Observer{Upkeep: func(_ context.Context, e onceward.UpkeepEvent) {
		select {
		case rounds <- e:
		default:
		}
	}}
	for name, x := range b.keepers(t, TransactConfig{MaintainEvery: time.Millisecond, Observer: observer}) {
		if strings.Contains(x.Guarantee().String(), "does not purge") {
			t.Errorf("%s: %s", name, x.Guarantee())
		}
		<-rounds
		if err := x.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if records, marks, watermark := b.left(t); records != 0 || marks != 0 || watermark != 3 {
		t.Errorf("left are %d records, %d marks, watermark %d", records, marks, watermark)
	}
}

// After a jump of the server's clock nothing is removed, and there is an alarm.
func TestMaintainRefusesAClockJump(t *testing.T) {
	b := newBank(t, serving(t))
	s := b.again(t, b.schema)
	for name, x := range b.keepers(t, TransactConfig{MaintainEvery: onceward.NoMaintenance}) {
		if err := x.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.due(t, 3)
		move(t, s, 10*time.Minute)
		if err := x.Maintain(t.Context()); !errors.Is(err, store.ErrClock) {
			t.Errorf("%s: %v", name, err)
		}
		if records, _, _ := b.left(t); records != 3 {
			t.Errorf("%s: %d records left", name, records)
		}
		move(t, s, -10*time.Minute)
		exec(t, b.owner, strings.ReplaceAll("DELETE FROM {s}.records; DELETE FROM {s}.marks", "{s}", b.schema))
	}
	first, alarms := make(chan struct{}), make(chan onceward.AlarmEvent, 1)
	once := sync.OnceFunc(func() { close(first) })
	b.transactor(t, b.pool, TransactConfig{MaintainEvery: time.Millisecond, Observer: onceward.Observer{
		Upkeep: func(context.Context, onceward.UpkeepEvent) { once() },
		Alarm: func(_ context.Context, e onceward.AlarmEvent) {
			select {
			case alarms <- e:
			default:
			}
		},
	}})
	<-first
	move(t, s, time.Hour)
	if e := <-alarms; e.Alarm != onceward.AlarmClock || !errors.Is(e.Err, store.ErrClock) {
		t.Errorf("alarm %+v", e)
	}
}

// Several at once take different records, and none is left.
func TestMaintainersAtOnce(t *testing.T) {
	const n = 3 * batch
	b := newBank(t, serving(t))
	b.due(t, n)
	var mu sync.Mutex
	sum := 0
	observer := onceward.Observer{Upkeep: func(_ context.Context, e onceward.UpkeepEvent) {
		mu.Lock()
		defer mu.Unlock()
		sum += e.Removed
	}}
	var all sync.WaitGroup
	for name, x := range b.keepers(t, TransactConfig{MaintainEvery: onceward.NoMaintenance, Observer: observer}) {
		for range 2 {
			all.Go(func() {
				if err := x.Maintain(t.Context()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	all.Wait()
	if records, marks, watermark := b.left(t); sum != n || records != 0 || marks != 0 || watermark != n {
		t.Errorf("removed %d, left are %d records, %d marks, watermark %d", sum, records, marks, watermark)
	}
}

// Close does not wait for a round that hangs; and what hung is whole or nothing.
func TestCloseEndsMaintenance(t *testing.T) {
	b := newBank(t, serving(t))
	for name, x := range b.keepers(t, TransactConfig{MaintainEvery: onceward.NoMaintenance, StoreTimeout: time.Minute}) {
		t.Run(name, func(t *testing.T) {
			b.due(t, 3)
			r := newRival(t, b.tables, b.again(t, b.schema))
			r.do("SELECT pg_advisory_xact_lock_shared($1, $2)", lockService, serviceLock("bank")) // a step is under way
			round := make(chan error, 1)
			go func() { round <- x.Maintain(t.Context()) }()
			somebodyWaits(t, b.tables)
			if err := x.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-round; !errors.Is(err, onceward.ErrClosed) {
				t.Errorf("the round that was ended: %v", err)
			}
			r.commit()
			exec(t, b.owner, strings.ReplaceAll("DELETE FROM {s}.records; DELETE FROM {s}.marks", "{s}", b.schema))
		})
	}
}

// A transaction that was admitted, and takes so long that its key is sealed meanwhile, commits below the watermark: once, and its reply is replayed.
func TestTransactionIsOvertakenByTheWatermark(t *testing.T) {
	b := newBank(t, serving(t))
	for _, isolation := range isolations {
		t.Run(string(isolation), func(t *testing.T) {
			x := b.transactor(t, b.pool, TransactConfig{Isolation: isolation, Window: 2 * time.Hour, MaintainEvery: onceward.NoMaintenance})
			key, err := onceward.TypeID{}.Mint()
			if err != nil {
				t.Fatal(err)
			}
			stamp := callOf(key).Scope.Identity(key).Stamp
			first, let := b.holding(t, x, key)
			exec(t, b.owner, fmt.Sprintf(`INSERT INTO %[1]s.records
				(id, token, service, principal, key, stamp, first_seen, version, claims, policy, doubted, safe_new_key, state, ended, done_at, purge_at, reply)
				VALUES (sha256('old'), decode(md5('old'), 'hex'), 'bank', 'alice', 'old', %[2]d, 1, 1, 1, 0, false, false, 3, 1, 1, 1, 'reply')`, b.schema, stamp))
			if err := x.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, _, watermark := b.left(t); watermark != int(stamp) {
				t.Fatalf("the watermark is %d, want %d", watermark, stamp)
			}
			let()
			if got := <-first; got.err != nil || got.Standing != onceward.Saved {
				t.Errorf("the transaction: %+v, %v", got.Result, got.err)
			}
			again, err := x.Transact(t.Context(), callOf(key), func(context.Context, pgx.Tx) onceward.Outcome {
				t.Error("it runs again")
				return onceward.Free(onceward.Reply{})
			})
			if err != nil || !again.Replayed {
				t.Errorf("sent again: %+v, %v", again, err)
			}
			b.balance(t, key.Text())
			exec(t, b.owner, strings.ReplaceAll("DELETE FROM {s}.records; DELETE FROM {s}.ledger; UPDATE {s}.accounts SET balance = 0; DELETE FROM {s}.watermarks", "{s}", b.schema))
		})
	}
}
