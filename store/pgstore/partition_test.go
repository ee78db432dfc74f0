package pgstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

// The whole conformance suite holds on partitions. Its purges are of single records there too, by a statement of this test: in production what is over in a
// partition falls with it.
func TestConformanceOnPartitions(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	db := serving(t)
	first := db.fresh(t)
	schema := first.config.Schema
	c := PartitionConfig{Schema: schema, Width: testWidth, Skew: 2 * time.Hour, clock: fmt.Sprintf(testClock, schema)} // as some of its claims want
	if _, err := Partition(t.Context(), db.owner, c); err != nil {
		t.Fatal(err)
	}
	traits := first.Traits()
	traits.MaxKept = 26 * time.Hour
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
	shift := func(t testing.TB, s store.Store, d time.Duration) {
		move(t, s.(*Store), d)
		db.partition(t, schema, testWidth)
	}
	storetest.Run(t, storetest.Harness{
		New:      func(t testing.TB) store.Store { return rowByRow(db.emptied(t, schema)) },
		Traits:   traits,
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

// A change of the width waits for a maintainer that is at work: two would make overlapping partitions.
func TestPartitionWaitsForAMaintainer(t *testing.T) {
	p := newParted(t)
	changed := make(chan error, 1)
	other := newRival(t, p.tables, p.s)
	other.do("SELECT pg_advisory_xact_lock($1::int, hashtext($2))", lockPartitions, p.schema)
	go func() {
		_, err := Partition(t.Context(), p.owner, PartitionConfig{Schema: p.schema, Width: 3 * time.Hour, clock: fmt.Sprintf(testClock, p.schema)})
		changed <- err
	}()
	somebodyWaits(t, p.tables)
	if l, err := findLayout(t.Context(), p.owner, p.schema); err != nil || l.width != testWidth {
		t.Errorf("meanwhile the width is %v, %v", l.width, err)
	}
	other.commit()
	if err := <-changed; err != nil {
		t.Error(err)
	}
	whole(t, p)
}

// TestOnPartitions runs tests of the plain table on a partitioned one.
func TestOnPartitions(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	widthOfTests = 24 * time.Hour // few: they take time to make
	defer func() { widthOfTests = 0 }()
	for name, test := range map[string]func(*testing.T){
		"TransactEndings":                    TestTransactEndings,
		"TransactDuplicateWaitsBeforeItRuns": TestTransactDuplicateWaitsBeforeItRuns,
		"TransactIndexDecides":               TestTransactIndexDecides,
		"TransactLoserAnswersFromTheRecord":  TestTransactLoserAnswersFromTheRecord,
		"TransactAbortedLosesTheLock":        TestTransactAbortedLosesTheLock,
		"TransactCommitThenError":            TestTransactCommitThenError,
		"TransactMeetsTheRecordStore":        TestTransactMeetsTheRecordStore,
		"TransactAdmission":                  TestTransactAdmission,
		"FlightsOfTransactions":              TestFlightsOfTransactions,
		"SQLTransactFlights":                 TestSQLTransactFlights,
		"SQLTransactTraps":                   TestSQLTransactTraps,
		"KillBackendRunsAgain":               TestKillBackendRunsAgain,
		"TransactConflicts":                  TestTransactConflicts,
		"StepSeesWhatItWaitedFor":            TestStepSeesWhatItWaitedFor,
		"SealWaitsForStepsAndStepsForASeal":  TestSealWaitsForStepsAndStepsForASeal,
		"WriteMustHitWhatWasRead":            TestWriteMustHitWhatWasRead,
	} {
		t.Run(name, test)
	}
}
