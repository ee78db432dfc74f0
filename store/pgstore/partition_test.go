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
