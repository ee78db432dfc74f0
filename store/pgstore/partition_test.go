package pgstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

// The whole conformance suite holds on partitions. Its purges are of single records there too, by a statement of this test: in production what is over in a
// partition falls with it.
func TestConformanceOnPartitions(t *testing.T) {
	db := serving(t)
	first := db.fresh(t)
	schema := first.config.Schema
	db.partition(t, schema, 6*time.Hour)
	rowByRow := func(s *Store) *Store {
		s.sql.purge = fmt.Sprintf(`WITH over AS (
	SELECT bucket, id FROM %[1]s.records WHERE purge_at <= $1::bigint ORDER BY purge_at LIMIT $2::bigint
), gone AS (
	DELETE FROM %[1]s.records r USING over WHERE r.bucket = over.bucket AND r.id = over.id RETURNING r.service, r.stamp
) SELECT service, coalesce(max(stamp), 0), count(*) FROM gone GROUP BY service`, schema)
		s.sql.more = fmt.Sprintf(`SELECT coalesce((SELECT min(purge_at) FROM %s.records) <= $1::bigint, false)`, schema)
		s.tended = true
		return s
	}
	cleared := func(t testing.TB) *Store {
		s := rowByRow(db.emptied(t, schema))
		db.partition(t, schema, 6*time.Hour)
		return s
	}
	shift := func(t testing.TB, s store.Store, d time.Duration) {
		move(t, s.(*Store), d)
		db.partition(t, schema, 6*time.Hour)
	}
	storetest.Run(t, storetest.Harness{
		New:      func(t testing.TB) store.Store { return cleared(t) },
		Traits:   first.Traits(),
		Advance:  shift,
		StepBack: func(t testing.TB, s store.Store, d time.Duration) { shift(t, s, -d) },
		Reopen: func(t testing.TB, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return rowByRow(db.again(t, schema))
		},
		Crash: func(t testing.TB, s store.Store) store.Store { return rowByRow(db.again(t, schema)) },
	})
}

// TestOnPartitions runs tests of the plain table on a partitioned one.
func TestOnPartitions(t *testing.T) {
	widthOfTests = 6 * time.Hour
	defer func() { widthOfTests = 0 }()
	for name, test := range map[string]func(*testing.T){
		"StepSeesWhatItWaitedFor":              TestStepSeesWhatItWaitedFor,
		"SealWaitsForStepsAndStepsForASeal":    TestSealWaitsForStepsAndStepsForASeal,
		"KilledHolderHoldsNobodyUp":            TestKilledHolderHoldsNobodyUp,
		"CallerThatGivesUpLeavesNothingBehind": TestCallerThatGivesUpLeavesNothingBehind,
		"WriteMustHitWhatWasRead":              TestWriteMustHitWhatWasRead,
		"TrailIsCommittedInItsOrder":           TestTrailIsCommittedInItsOrder,
		"SQLTransactFlights":                   TestSQLTransactFlights,
		"SQLTransactTraps":                     TestSQLTransactTraps,
		"SQLTransactDuplicateWaits":            TestSQLTransactDuplicateWaits,
		"SQLTransactCommitCut":                 TestSQLTransactCommitCut,
		"TransactEndings":                      TestTransactEndings,
		"TransactPanic":                        TestTransactPanic,
		"CommitUnderACancelledContext":         TestCommitUnderACancelledContext,
		"CommitThatIsRolledBack":               TestCommitThatIsRolledBack,
		"TransactCommitThenError":              TestTransactCommitThenError,
		"TransactAbortedLosesTheLock":          TestTransactAbortedLosesTheLock,
		"TransactCommitMeetsAWaiter":           TestTransactCommitMeetsAWaiter,
		"TransactCommitOverALapsedClaim":       TestTransactCommitOverALapsedClaim,
		"FlightsOfTransactions":                TestFlightsOfTransactions,
		"KillBackendOfTheHolder":               TestKillBackendOfTheHolder,
		"KillBackendRunsAgain":                 TestKillBackendRunsAgain,
		"TransactWithAPoolOfOne":               TestTransactWithAPoolOfOne,
		"TransactConflicts":                    TestTransactConflicts,
		"TransactTimesAreTheClocks":            TestTransactTimesAreTheClocks,
		"TransactUsersOwnConstraint":           TestTransactUsersOwnConstraint,
		"TransactRunsAgain":                    TestTransactRunsAgain,
		"TransactAdmission":                    TestTransactAdmission,
		"TransactMeetsTheRecordStore":          TestTransactMeetsTheRecordStore,
		"TransactDuplicateWaitsBeforeItRuns":   TestTransactDuplicateWaitsBeforeItRuns,
		"TransactLoserAnswersFromTheRecord":    TestTransactLoserAnswersFromTheRecord,
		"TransactSnapshotIsNotTheAnswer":       TestTransactSnapshotIsNotTheAnswer,
		"TransactIndexDecides":                 TestTransactIndexDecides,
		"TransactWaitIsBounded":                TestTransactWaitIsBounded,
		"TransactRestoresTheLockTimeout":       TestTransactRestoresTheLockTimeout,
	} {
		t.Run(name, test)
	}
}

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
	for _, c := range []PartitionConfig{{}, {Width: time.Second}, {Width: time.Hour, Window: -1}, {Width: time.Hour, Skew: 48 * time.Hour}, {Width: time.Hour, Schema: "no-name"}} {
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
			if !errors.Is(err, onceward.ErrStoreUnavailable) || !errors.Is(err, ErrPartition) || !errors.As(err, &told) || told.RetryAfter == 0 || !strings.Contains(err.Error(), "start it anew") {
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

// A row purge leaves partitions alone: what is over there falls with them.
func TestPurgeLeavesPartitionsAlone(t *testing.T) {
	p := newParted(t)
	o := p.nearly(t)
	p.maintain(t)
	if at := p.bucket(t, o.over.Record.Identity); at != int64(o.over.Record.Stamp) {
		t.Errorf("the record that is over is in bucket %d, want its partition", at)
	}
}

// A statement that looks a record up visits two partitions, and no others, whether its plan was made with its parameters or without; and none reads a whole table.
func TestStatementsPrunePartitions(t *testing.T) {
	p := newParted(t)
	s := p.s
	exec(t, p.owner, fmt.Sprintf(`INSERT INTO %[1]s.records (bucket, id, token, service, principal, key, stamp, first_seen, version, claims, policy, doubted, safe_new_key, state, ended, done_at, purge_at, reply)
		SELECT b, sha256((b::text || n)::bytea), decode(md5(n::text), 'hex'), 'orders', 'alice', n::text::bytea, nullif(b, 0), n, 1, 1, 0, false, false, 3, 1, n, n, 'reply'
		FROM generate_series(1, 2000) n, (SELECT 0 AS b UNION ALL SELECT substring(relname FROM '^records_([0-9]+)_')::bigint FROM pg_class WHERE relnamespace = '%[1]s'::regnamespace AND relname ~ '^records_[0-9]+_[0-9]+$') bounds`,
		p.schema))
	exec(t, p.owner, fmt.Sprintf("VACUUM ANALYZE %s.records", p.schema))
	own := newTransactSQL(p.schema, s.config.clock, s.sql.layout)
	conn, err := p.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	stamp := int64(p.now(t))
	parameter := regexp.MustCompile(`\$(\d+)::(\w+)`)
	for name, c := range map[string]struct {
		sql   string
		where int // parameter with the stamp
	}{
		"read": {s.sql.read, 5}, "create": {s.sql.create, 18}, "complete": {s.sql.complete, 9}, "update": {s.sql.update, 15}, "remove": {s.sql.remove, 4},
		"enter": {own.enter, 6}, "enter packed": {own.enterPacked, 3}, "remember": {own.remember, 21},
	} {
		args := make([]string, c.where)
		values := map[string]string{"bytea": `'\x00'`, "bigint": itoa(stamp), "int": "1", "smallint": "1", "boolean": "false"}
		for _, m := range parameter.FindAllStringSubmatch(c.sql, -1) {
			n, _ := strconv.Atoi(m[1])
			args[n-1] = values[m[2]]
		}
		for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
			explained, err := conn.Conn().PgConn().Exec(t.Context(), fmt.Sprintf("BEGIN; SET LOCAL plan_cache_mode = %s; PREPARE p AS %s; EXPLAIN (COSTS OFF) EXECUTE p (%s)",
				mode, c.sql, strings.Join(args, ", "))).ReadAll()
			_, _ = conn.Exec(t.Context(), "ROLLBACK; DEALLOCATE ALL")
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var plan strings.Builder
			for _, row := range explained[3].Rows {
				plan.WriteString(string(row[0]) + "\n")
			}
			visited := map[string]bool{}
			for _, scan := range regexp.MustCompile(`Scan .*on (records_\w+)`).FindAllStringSubmatch(plan.String(), -1) {
				visited[scan[1]] = true
			}
			if len(visited) != 2 || !visited["records_plain"] || regexp.MustCompile(`Seq Scan on records`).MatchString(plan.String()) {
				t.Errorf("%s, %s, visits %v:\n%s", name, mode, visited, plan.String())
			}
		}
	}
}

// Dropping a partition costs the same whether ten thousand rows are in it or a million: by the bytes of the log that it writes. The time is printed.
func TestPartitionFallsInConstantTime(t *testing.T) {
	few, many := 1000, 20_000
	if os.Getenv("ONCEWARD_SOAK") != "" {
		few, many = 10_000, 1_000_000
	}
	cost := func(n int) int64 {
		p := newParted(t)
		o := p.nearly(t)
		exec(t, p.owner, fmt.Sprintf(`INSERT INTO %[1]s.records (bucket, id, token, service, principal, key, stamp, first_seen, version, claims, policy, doubted, safe_new_key, state, ended, done_at, purge_at, reply)
			SELECT %[2]d, sha256(n::text::bytea), decode(md5(n::text), 'hex'), 'orders', 'alice', n::text::bytea, %[2]d, n, 1, 1, 0, false, false, 3, 1, n, n, convert_to(repeat(md5(n::text), 30), 'utf8')
			FROM generate_series(1, %[3]d) n`, p.schema, o.over.Record.Stamp, n))
		exec(t, p.owner, "ANALYZE "+p.schema+".records")
		p.older(t, p.later(t, o))
		exec(t, p.owner, "CHECKPOINT")
		position := func() (at int64) {
			if err := p.owner.QueryRow(t.Context(), "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").Scan(&at); err != nil {
				t.Fatal(err)
			}
			return at
		}
		before, began := position(), time.Now()
		p.maintain(t)
		took, wrote := time.Since(began), position()-before
		p.survived(t, o)
		t.Logf("%d rows: %v, %d bytes of log", n, took.Round(time.Millisecond), wrote)
		return wrote
	}
	if small, large := cost(few), cost(many); large > 2*small {
		t.Errorf("%d bytes of log with %d rows, %d with %d: not constant", small, few, large, many)
	}
}

// The lookup's plan is made once, and the function's own statements are planned as its session says.
func TestLookupsInPartitionsArePlannedOnce(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	db.partition(t, b.schema, testWidth)
	config := db.pool.Config()
	config.MaxConns = 1
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	x := b.transactor(t, pool, TransactConfig{MaintainEvery: onceward.NoMaintenance})
	const runs = 10
	for n := range runs {
		_, err := x.Transact(t.Context(), callOf(keyOf(t, fmt.Sprint("k", n))), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			var mode string
			var once, anew int
			if err := tx.QueryRow(ctx, `SELECT current_setting('plan_cache_mode'), coalesce(sum(generic_plans), 0), coalesce(sum(custom_plans), 0)
				FROM pg_prepared_statements WHERE statement LIKE '%pg_is_in_recovery%records%' AND statement NOT LIKE '%pg_prepared%'`).Scan(&mode, &once, &anew); err != nil {
				t.Error(err)
			}
			if mode != "force_custom_plan" || n == runs-1 && (once != runs || anew != 0) {
				t.Errorf("run %d: the function's statements have %s, lookups were planned once for %d of %d", n, mode, once, once+anew)
			}
			return onceward.Save(onceward.Reply{})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	who := identity("record mode", 0)
	s, err := New(t.Context(), pool, Config{Schema: b.schema})
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
	want(t, a, err, store.Granted)
	var mode string
	if err := pool.QueryRow(t.Context(), "SHOW plan_cache_mode").Scan(&mode); err != nil || mode != "force_custom_plan" {
		t.Errorf("after a step the session has %s, %v", mode, err)
	}
}

// Where statements are not kept, as behind a pooler, nothing forces a plan that names every partition.
func TestPartitionsWithoutPreparedStatements(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	db.partition(t, b.schema, testWidth)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheDescribe} {
		t.Run(mode.String(), func(t *testing.T) {
			config := db.pool.Config()
			config.ConnConfig.DefaultQueryExecMode = mode
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			x := b.transactor(t, pool, TransactConfig{MaintainEvery: onceward.NoMaintenance})
			if strings.Contains(x.link.(*pgxLink).own.enterPacked, "plan_cache_mode") {
				t.Error("a generic plan is forced")
			}
			key, err := onceward.TypeID{}.Mint()
			if err != nil {
				t.Fatal(err)
			}
			for n, call := range []func(context.Context, pgx.Tx) onceward.Outcome{b.pay(key), b.pay(key)} {
				if result, err := x.Transact(t.Context(), callOf(key), call); err != nil || result.Replayed != (n == 1) {
					t.Errorf("%+v, %v", result, err)
				}
			}
			s, err := New(t.Context(), pool, Config{Schema: b.schema})
			if err != nil {
				t.Fatal(err)
			}
			who := identity("k"+mode.String(), store.TimeOf(time.Now()))
			a, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
			want(t, a, err, store.Granted)
			a, err = s.Advance(t.Context(), completeOf(who, tokenOf(1), "reply"))
			want(t, a, err, store.Applied)
		})
	}
}
