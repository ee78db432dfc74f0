package pgstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// finish puts done records into the table by SQL, due at once; their stamps are 1 to n.
func finish(t testing.TB, db tables, s *Store, service string, n int) {
	t.Helper()
	exec(t, db.owner, fmt.Sprintf(`INSERT INTO %s.records
		(id, token, service, principal, key, stamp, first_seen, version, claims, policy, doubted, safe_new_key, state, ended, done_at, purge_at, reply)
		SELECT sha256(('%[2]s' || n)::bytea), decode(md5(n::text), 'hex'), '%[2]s', 'alice', n::text::bytea, n, 1, 1, 1, 0, false, false, 3, 1, n, n, 'reply'
		FROM generate_series(1, %[3]d) n`, s.config.Schema, service, n))
}

func finished(service string, n int) store.Identity {
	who := identity(fmt.Sprint(service, n), store.Time(n))
	who.Service, who.Key = service, fmt.Sprint(n)
	return who
}

func TestPurgesAtOnceTakeDifferentRecords(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	const each = 1500
	finish(t, db, s, "orders", each)
	finish(t, db, s, "refunds", each)
	removed := make(chan int, 4)
	var all sync.WaitGroup
	for range cap(removed) {
		all.Go(func() {
			n := 0
			for more := true; more; {
				r, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 350})
				if err != nil {
					t.Error(err)
				}
				n, more = n+r.Removed, r.More
			}
			removed <- n
		})
	}
	all.Wait()
	close(removed)
	sum := 0
	for n := range removed {
		sum += n
	}
	if sum != 2*each {
		t.Errorf("%d maintainers at once say that they removed %d records, there were %d", cap(removed), sum, 2*each)
	}
	for _, service := range []string{"orders", "refunds"} {
		if st, err := s.Stats(t.Context(), service); err != nil || st.Done != 0 || st.Watermark != each {
			t.Errorf("%s: %+v, %v", service, st, err)
		}
	}
}

// A maintainer that is at work keeps no other from the rest.
func TestPurgeSkipsWhatAnotherIsRemoving(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	finish(t, db, s, "orders", 10)
	r := newRival(t, db, s)
	r.do("DELETE FROM " + r.schema + ".records WHERE purge_at <= 6")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := s.Purge(ctx, store.PurgeRequest{Limit: 100})
	if err != nil || got.Removed != 4 {
		t.Fatalf("beside another maintainer: %+v, %v; want 4", got, err)
	}
	if err := r.tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err = s.Purge(t.Context(), store.PurgeRequest{Limit: 100}); err != nil || got.Removed != 6 {
		t.Errorf("after it gave up: %+v, %v; want 6", got, err)
	}
}

// Between removal and raised watermark nobody may look: they are one commit.
func TestPurgedRecordIsThereUntilItsKeyIsSealed(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	finish(t, db, s, "orders", 3)
	r := newRival(t, db, s)
	r.do("SELECT pg_advisory_xact_lock_shared($1, $2)", lockService, serviceLock("orders")) // a step is under way
	purged := make(chan error, 1)
	go func() {
		_, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 100})
		purged <- err
	}()
	somebodyWaits(t, db)
	for n := 1; n <= 3; n++ {
		if a, err := s.Get(t.Context(), finished("orders", n)); err != nil || a.Verdict != store.Replay && a.Watermark < 3 {
			t.Errorf("record %d during the purge: %v, %v, watermark %d", n, a.Verdict, err, a.Watermark)
		}
	}
	r.commit()
	if err := <-purged; err != nil {
		t.Error(err)
	}
	a, err := s.Get(t.Context(), finished("orders", 2))
	want(t, a, err, store.Expired)
}

// Beyond a bound nobody counts: the planner's estimate takes about as long for a million as for a thousand.
func TestStatsEstimateWhatIsMany(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	finish(t, db, s, "orders", exactDone)
	if st, err := s.Stats(t.Context(), "orders"); err != nil || st.Done != exactDone || st.Bytes != 0 {
		t.Errorf("%+v, %v; want exactly %d done", st, err, exactDone)
	}
	finish(t, db, s, "refunds", exactDone)
	exec(t, db.owner, "ANALYZE "+s.config.Schema+".records")
	for service, n := range map[string]int64{"": 2 * exactDone, "orders": exactDone, "refunds": exactDone} {
		st, err := s.Stats(t.Context(), service)
		if err != nil || st.Done < n*8/10 || st.Done > n*12/10 || service == "" && st.Bytes < 1<<20 {
			t.Errorf("of %q: %+v, %v; want about %d done", service, st, err, n)
		}
	}
	a, err := s.Claim(t.Context(), claimOf(identity("k", 0), tokenOf(1)))
	want(t, a, err, store.Granted)
	if st, err := s.Stats(t.Context(), ""); err != nil || st.Started != 1 {
		t.Errorf("open records are counted: %+v, %v", st, err)
	}
}

// A purge whose caller has gone is carried out or not, but never half.
func TestCutPurgeIsWholeOrNothing(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	finish(t, db, s, "orders", 3)
	r := newRival(t, db, s)
	r.do("SELECT pg_advisory_xact_lock_shared($1, $2)", lockService, serviceLock("orders"))
	ctx, cancel := context.WithCancel(t.Context())
	cut := make(chan error, 1)
	go func() {
		_, err := s.Purge(ctx, store.PurgeRequest{Limit: 100})
		cut <- err
	}()
	somebodyWaits(t, db)
	cancel()
	if err := <-cut; err == nil {
		t.Error("Purge says that it ended well")
	}
	r.commit()
	st, err := s.Stats(t.Context(), "orders")
	if err != nil || (st.Done != 3 || st.Watermark != 0) && (st.Done != 0 || st.Watermark != 3) {
		t.Errorf("after a purge that was cut: %+v, %v; want all three unsealed, or none and sealed", st, err)
	}
}

// The planner may run a subquery again for each row that it is compared with; one with LIMIT and SKIP LOCKED then finds others each time.
func TestPurgeKeepsItsLimitUnderEveryPlan(t *testing.T) {
	db := ownDatabase(t)
	s := db.fresh(t)
	for _, off := range []string{"", "hashjoin", "hashjoin mergejoin", "hashjoin mergejoin hashagg sort material bitmapscan", "nestloop"} {
		exec(t, db.owner, fmt.Sprintf("DELETE FROM %s.records; ALTER DATABASE %s RESET ALL", s.config.Schema, database(db.owner)))
		for _, method := range strings.Fields(off) {
			exec(t, db.owner, fmt.Sprintf("ALTER DATABASE %s SET enable_%s = off", database(db.owner), method))
		}
		db.pool.Reset()
		finish(t, db, s, "orders", 4)
		exec(t, db.owner, "VACUUM ANALYZE "+s.config.Schema+".records") // few enough that the planner takes the simplest way
		if r, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 2}); err != nil || r.Removed != 2 || !r.More {
			t.Errorf("without %q: %+v, %v; want 2 removed, and more", off, r, err)
		}
		exec(t, db.owner, fmt.Sprintf("DELETE FROM %[1]s.marks; INSERT INTO %[1]s.marks SELECT n, sha256('x'), decode(md5(n::text), 'hex') FROM generate_series(1, 4) n",
			s.config.Schema))
		exec(t, db.owner, "VACUUM ANALYZE "+s.config.Schema+".marks")
		tag, err := db.pool.Exec(t.Context(), s.sql.forget, 1000, 2)
		if err != nil || tag.RowsAffected() != 2 {
			t.Errorf("without %q: %d marks removed, %v; want 2", off, tag.RowsAffected(), err)
		}
	}
}
