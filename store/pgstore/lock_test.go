package pgstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward/store"
)

// rival is another transaction on the store's tables, at whatever moment a test wants.
type rival struct {
	testing.TB
	tx     pgx.Tx
	schema string
}

func newRival(t testing.TB, db tables, s *Store) *rival {
	t.Helper()
	tx, err := db.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return &rival{t, tx, s.config.Schema}
}

func (r *rival) do(sql string, args ...any) {
	r.Helper()
	if _, err := r.tx.Exec(r.Context(), sql, args...); err != nil {
		r.Fatalf("%s: %v", sql, err)
	}
}

func (r *rival) commit() {
	r.Helper()
	if err := r.tx.Commit(r.Context()); err != nil {
		r.Fatal(err)
	}
}

// eventually polls the database until the query says true.
func eventually(t testing.TB, db tables, what, sql string, args ...any) {
	t.Helper()
	tick, late := time.NewTicker(2*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for {
		var yes bool
		if err := db.owner.QueryRow(t.Context(), sql, args...).Scan(&yes); err != nil {
			t.Fatal(err)
		}
		if yes {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: it does not happen", what)
		}
	}
}

// somebodyWaits returns when a session of this database waits for an advisory lock.
func somebodyWaits(t testing.TB, db tables) {
	t.Helper()
	eventually(t, db, "somebody waits for a lock", `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
		WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted)`)
}

type answered struct {
	store.Answer
	err error
}

// later calls in the background.
func later(call func() (store.Answer, error)) <-chan answered {
	c := make(chan answered, 1)
	go func() {
		a, err := call()
		c <- answered{a, err}
	}()
	return c
}

func want(t testing.TB, a store.Answer, err error, v store.Verdict) store.Answer {
	t.Helper()
	if err != nil || a.Verdict != v {
		t.Fatalf("%v, %v; want %v", a.Verdict, err, v)
	}
	return a
}

// What was committed while a step waited for the lock is seen by it: the lock is a statement of its own, and everybody takes it.
func TestStepSeesWhatItWaitedFor(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	sealed := store.TimeOf(time.Now())
	who := identity("absent", sealed)
	cases := map[string]struct {
		meanwhile func(*rival)
		call      func() (store.Answer, error)
		want      store.Verdict
	}{
		"a claim sees the mark": {
			func(r *rival) {
				r.do("INSERT INTO "+r.schema+".marks (id, token, until) VALUES ($1, $2, $3)", who.ID[:], tokenBytes(1), int64(endOfTime))
			},
			func() (store.Answer, error) { return s.Claim(t.Context(), claimOf(who, tokenOf(1))) },
			store.Dead,
		},
		"a decision sees the watermark": {
			func(r *rival) {
				r.do("INSERT INTO "+r.schema+".watermarks (service, watermark) VALUES ($1, $2)", []byte(who.Service), int64(sealed))
			},
			func() (store.Answer, error) {
				return s.Decide(t.Context(), store.DecideRequest{Identity: who, Token: tokenOf(2), Decision: store.Cancel, Window: time.Hour, Guard: time.Hour})
			},
			store.Expired,
		},
		"a claim sees the watermark": {
			func(*rival) {}, // from above
			func() (store.Answer, error) { return s.Claim(t.Context(), claimOf(who, tokenOf(3))) },
			store.Expired,
		},
	}
	for _, name := range []string{"a claim sees the mark", "a decision sees the watermark", "a claim sees the watermark"} {
		c := cases[name]
		r := newRival(t, db, s)
		r.do("SELECT pg_advisory_xact_lock($1)", idLock(who.ID))
		got := later(c.call)
		somebodyWaits(t, db)
		c.meanwhile(r)
		r.commit()
		if a := <-got; a.err != nil || a.Verdict != c.want {
			t.Errorf("%s: %v, %v; want %v", name, a.Verdict, a.err, c.want)
		}
	}
}

func tokenBytes(n byte) []byte {
	t := tokenOf(n)
	return t[:]
}

// A seal and a step of its service exclude each other: X1.
func TestSealWaitsForStepsAndStepsForASeal(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	now := store.TimeOf(time.Now())

	r := newRival(t, db, s)
	r.do("SELECT pg_advisory_xact_lock($1, $2)", lockService, serviceLock("orders"))
	got := later(func() (store.Answer, error) { return s.Claim(t.Context(), claimOf(identity("a", now), tokenOf(1))) })
	somebodyWaits(t, db)
	r.do("INSERT INTO "+r.schema+".watermarks VALUES ('orders', $1)", int64(now))
	r.commit()
	if a := <-got; a.err != nil || a.Verdict != store.Expired || a.Watermark != now {
		t.Errorf("a claim that waited for a seal: %v, %v, watermark %d; want %d", a.Verdict, a.err, a.Watermark, now)
	}

	r = newRival(t, db, s)
	r.do("SELECT pg_advisory_xact_lock_shared($1, $2)", lockService, serviceLock("orders"))
	sealed := later(func() (store.Answer, error) {
		at, err := s.Seal(t.Context(), "orders", now+5)
		return store.Answer{Watermark: at}, err
	})
	somebodyWaits(t, db)
	a, err := s.Claim(t.Context(), claimOf(store.Identity{ID: store.ID{1}, Service: "refunds", Principal: "p", Key: "k"}, tokenOf(2)))
	want(t, a, err, store.Granted) // another service does not wait
	r.commit()
	if a := <-sealed; a.err != nil || a.Watermark != now+5 {
		t.Errorf("Seal: %d, %v", a.Watermark, a.err)
	}
}

// A process that stalls between its round trips is put out by the server, changes nothing any more, and says that it does not know.
func TestStalledProcessHoldsNobodyUp(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	s.config.stall = "100ms"
	who := identity("k", 0)
	a, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
	want(t, a, err, store.Granted)
	release := make(chan struct{})
	q := completeOf(who, tokenOf(1), "late")
	stalled := later(func() (store.Answer, error) {
		return s.step(t.Context(), "complete", who, q.Token, func(r store.Record, env store.Env) store.Step {
			<-release
			return store.Advance(r, q, env)
		})
	})
	eventually(t, db, "it holds the lock", `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND database =
		(SELECT oid FROM pg_database WHERE datname = current_database()))`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	a, err = s.Advance(ctx, completeOf(who, tokenOf(1), "in time")) // waits until the server has ended the other
	want(t, a, err, store.Applied)
	close(release)
	if a := <-stalled; a.err == nil {
		t.Errorf("the stalled step answered %v", a.Verdict)
	}
	got, err := s.Get(t.Context(), who)
	if err != nil || string(got.Record.Reply) != "in time" {
		t.Errorf("the reply is %q, %v", got.Record.Reply, err)
	}
}

// A waiter goes on at once when the connection that holds the lock is lost.
func TestKilledHolderHoldsNobodyUp(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	who := identity("k", 0)
	r := newRival(t, db, s)
	r.do("SELECT pg_advisory_xact_lock($1)", idLock(who.ID))
	got := later(func() (store.Answer, error) { return s.Claim(t.Context(), claimOf(who, tokenOf(1))) })
	somebodyWaits(t, db)
	if _, err := db.owner.Exec(t.Context(), "SELECT pg_terminate_backend($1)", r.tx.Conn().PgConn().PID()); err != nil {
		t.Fatal(err)
	}
	a := <-got
	want(t, a.Answer, a.err, store.Granted)
}

// A caller that gives up while it waits leaves the connection usable, or closed, and nothing locked.
func TestCallerThatGivesUpLeavesNothingBehind(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	who := identity("k", 0)
	r := newRival(t, db, s)
	r.do("SELECT pg_advisory_xact_lock($1)", idLock(who.ID))
	ctx, cancel := context.WithCancel(t.Context())
	got := later(func() (store.Answer, error) { return s.Claim(ctx, claimOf(who, tokenOf(1))) })
	somebodyWaits(t, db)
	cancel()
	if a := <-got; a.err == nil {
		t.Errorf("a claim whose caller has gone: %v", a.Verdict)
	}
	r.commit()
	eventually(t, db, "all locks are free", `SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND database =
		(SELECT oid FROM pg_database WHERE datname = current_database()))`)
	for n := range byte(20) {
		a, err := s.Claim(t.Context(), claimOf(identity(string(rune('a'+n)), 0), tokenOf(1)))
		want(t, a, err, store.Granted)
	}
}

// A write that does not find the record that was read is not committed, whoever changed it without the lock: a person with psql, perhaps.
func TestWriteMustHitWhatWasRead(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	who, thief := identity("k", 0), tokenOf(9)
	a, err := s.Claim(t.Context(), claimOf(who, tokenOf(1)))
	want(t, a, err, store.Granted)
	reads := 0
	q := store.AdvanceRequest{Identity: who, Token: tokenOf(1), Op: store.OpYield}
	a, err = s.step(t.Context(), "yield", who, q.Token, func(r store.Record, env store.Env) store.Step {
		if reads++; reads == 1 {
			exec(t, db.owner, fmt.Sprintf(`UPDATE %s.records SET token = '\x%x', version = version + 1`, s.config.Schema, thief))
		}
		return store.Advance(r, q, env)
	})
	want(t, a, err, store.Lost)
	if a, err = s.Get(t.Context(), who); err != nil || reads != 2 || a.Record.Token != thief || a.Verdict != store.InFlight {
		t.Errorf("after %d reads the record is %+v, %v", reads, a.Record, err)
	}
}

// A reader of the trail that comes back with its cursor misses no entry: numbers are committed in their order.
func TestTrailIsCommittedInItsOrder(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	r := newRival(t, db, s) // another process, in the middle of a decision
	r.do("SELECT pg_advisory_xact_lock($1, 0)", lockTrail)
	r.do("INSERT INTO " + r.schema + `.trail (at, version, action, id, service, principal, key, actor, reason)
		VALUES (1, 0, 4, sha256('other'), 'orders', 'alice', 'other', 'ops', 'first')`)
	got := later(func() (store.Answer, error) {
		return s.Decide(t.Context(), store.DecideRequest{Identity: identity("k", 0), Token: tokenOf(1), Decision: store.Cancel, Actor: "ops", Reason: "second"})
	})
	somebodyWaits(t, db)
	page, err := s.Trail(t.Context(), store.TrailRequest{Limit: 1})
	if err != nil || len(page.Entries) != 0 {
		t.Errorf("before anybody has committed the trail is %+v, %v", page, err)
	}
	r.commit()
	a := <-got
	want(t, a.Answer, a.err, store.Applied)
	for _, reason := range []string{"first", "second"} {
		page, err = s.Trail(t.Context(), store.TrailRequest{Limit: 1, Cursor: page.Next})
		if err != nil || len(page.Entries) != 1 || page.Entries[0].Reason != reason {
			t.Errorf("next on the trail: %+v, %v; want %s", page, err, reason)
		}
	}
}
