package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// A function that ends its transaction in the text of a statement is found out, whatever it says in the end, and its operation is held as unknown.
func TestTransactTextualCommit(t *testing.T) {
	db := serving(t)
	save, free := onceward.Save(onceward.Reply{}), onceward.Free(onceward.Reply{})
	for _, c := range []struct {
		sql string
		out onceward.Outcome
	}{
		{"COMMIT", save},
		{"COMMIT", free},
		{"COMMIT", onceward.Reject(onceward.Reply{})},
		{"COMMIT; BEGIN", save},
		{"COMMIT; BEGIN", free},
		{"COMMIT; BEGIN", onceward.Reject(onceward.Reply{})},
		{"COMMIT AND CHAIN", save},
		{"ROLLBACK", save},
		{"ROLLBACK; BEGIN", save},
		{"ROLLBACK AND CHAIN", save},
	} {
		t.Run(fmt.Sprint(c.sql, c.out.Ending), func(t *testing.T) {
			b := newBank(t, db)
			alarms := 0
			x := b.transactor(t, db.pool, TransactConfig{Observer: onceward.Observer{Alarm: func(_ context.Context, e onceward.AlarmEvent) {
				if alarms++; e.Alarm != AlarmEnded {
					t.Errorf("alarm %q", e.Alarm)
				}
			}}})
			key := keyOf(t, "k")
			_, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
				if err := b.transfer(ctx, tx, key, 1); err != nil {
					t.Error(err)
				}
				if _, err := tx.Exec(ctx, c.sql); err != nil {
					t.Error(err)
				}
				return c.out
			})
			if !errors.Is(err, ErrEnded) || !errors.Is(err, onceward.ErrOutcomeUnknown) || alarms != 1 {
				t.Errorf("%v, %d alarms", err, alarms)
			}
			if strings.HasPrefix(c.sql, "COMMIT") {
				b.balance(t, "k")
			} else {
				b.balance(t)
			}
			for _, x := range []*Transactor{x, b.transactor(t, db.pool, TransactConfig{})} {
				if _, err := x.Transact(t.Context(), callOf(key), b.pay(key)); !errors.Is(err, onceward.ErrOutcomeUnknown) {
					t.Errorf("then: %v", err)
				}
			}
		})
	}
}

// COMMIT comes in the flight of the insert. If that writes nothing – here a trigger sees to it – the effect must not be committed.
func TestTransactNoRowNoCommit(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	exec(t, db.owner, strings.ReplaceAll(`CREATE FUNCTION {s}.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER nothing BEFORE INSERT ON {s}.records FOR EACH ROW EXECUTE FUNCTION {s}.nothing()`, "{s}", b.schema))
	key, runs := keyOf(t, "k"), 0
	x := b.transactor(t, db.pool, TransactConfig{})
	_, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		runs++
		return b.pay(key)(ctx, tx)
	})
	if !errors.Is(err, onceward.ErrFreed) || onceward.FateOf(err) != onceward.NotExecuted || runs != 1 {
		t.Errorf("%v after %d runs", err, runs)
	}
	b.balance(t)
}

// A record is done when its function is, not when its transaction began.
func TestTransactTimesAreTheClocks(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{clock: wallClock})
	key := keyOf(t, "k")
	var began, ended int64
	if _, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		const millis = "SELECT floor(extract(epoch FROM %s) * 1000)::bigint"
		if err := tx.QueryRow(ctx, fmt.Sprintf(millis, "now()")).Scan(&began); err != nil {
			t.Error(err)
		}
		for ended < began+10 {
			if err := tx.QueryRow(ctx, fmt.Sprintf(millis, "clock_timestamp()")).Scan(&ended); err != nil {
				t.Fatal(err)
			}
		}
		return onceward.Save(onceward.Reply{})
	}); err != nil {
		t.Fatal(err)
	}
	var done, purge int64
	if err := db.owner.QueryRow(t.Context(), "SELECT done_at, purge_at FROM "+b.schema+".records").Scan(&done, &purge); err != nil {
		t.Fatal(err)
	}
	if keep := millis(onceward.DefaultWindow + onceward.DefaultSkew); done < ended || purge != done+keep {
		t.Errorf("done at %d, purged at %d; want at least %d, and %d later", done, purge, ended, keep)
	}
}

// A unique violation of the user's own tables is the user's: nobody runs again for it, and what the function says of it stands.
func TestTransactUsersOwnConstraint(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	exec(t, db.owner, strings.ReplaceAll("ALTER TABLE {s}.ledger ADD UNIQUE (key) DEFERRABLE INITIALLY DEFERRED; INSERT INTO {s}.names VALUES ('taken'); INSERT INTO {s}.ledger (key, amount) VALUES ('late', 0)",
		"{s}", b.schema))
	x := b.transactor(t, db.pool, TransactConfig{})
	take := func(key onceward.Key, runs *int, out onceward.Outcome) (onceward.Result, error) {
		return x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			*runs++
			if _, err := tx.Exec(ctx, "INSERT INTO "+b.schema+".names VALUES ('taken')"); !isCode(err, uniqueViolation) {
				t.Errorf("a name twice: %v", err)
			}
			return out
		})
	}
	runs := 0
	result, err := take(keyOf(t, "reject"), &runs, onceward.Reject(onceward.Reply{Status: 409}))
	if err != nil || result.Reply.Status != 409 || result.Standing != onceward.Saved || runs != 1 {
		t.Errorf("rejected: %v, %v, %d runs", result, err, runs)
	}
	if result, err = take(keyOf(t, "reject"), &runs, onceward.Outcome{}); err != nil || !result.Replayed || runs != 1 {
		t.Errorf("rejected, again: %v, %v, %d runs", result, err, runs)
	}
	runs = 0
	if result, err = take(keyOf(t, "free"), &runs, onceward.Free(onceward.Reply{Status: 503})); err != nil || result.Standing != onceward.Freed || runs != 1 {
		t.Errorf("freed: %v, %v, %d runs", result, err, runs)
	}
	runs = 0 // swallowed: it says that all is well, in an aborted transaction
	if _, err = take(keyOf(t, "save"), &runs, onceward.Save(onceward.Reply{})); !errors.Is(err, onceward.ErrFreed) || !isCode(err, uniqueViolation) || runs != 1 {
		t.Errorf("swallowed: %v, %d runs", err, runs)
	}
	runs = 0 // found at COMMIT
	_, err = x.Transact(t.Context(), callOf(keyOf(t, "late")), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		runs++
		return b.pay(keyOf(t, "late"))(ctx, tx)
	})
	if !errors.Is(err, onceward.ErrFreed) || !isCode(err, uniqueViolation) || runs != 1 {
		t.Errorf("deferred: %v, %d runs", err, runs)
	}
	exec(t, db.owner, "DELETE FROM "+b.schema+".ledger WHERE amount = 0")
	b.balance(t)
}

// What the database asks to be tried again is, a bounded number of times, also where the function keeps the error to itself.
func TestTransactRunsAgain(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	pool := open(t, db.pool.Config().ConnString()+"&pool_max_conns=1") // on which all is prepared before it is deallocated
	raise := func(code string) string {
		return fmt.Sprintf("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '%s'; END $$", code)
	}
	for _, c := range []struct {
		name, code string
		how        func(context.Context, pgx.Tx, string) error // raises; nil: swallowed
		out        *onceward.Outcome                           // of a run in which it was raised; nil: the transfer's
		times      int
		runs       int
		err        error
	}{
		{"told", serialization, execs, nil, 1, 2, nil},
		{"deadlock", deadlock, execs, nil, 1, 2, nil},
		{"swallowed-save", serialization, execs, &onceward.Outcome{Ending: onceward.EndSave}, 1, 2, nil},
		{"swallowed-reject", serialization, execs, &onceward.Outcome{Ending: onceward.EndReject}, 1, 2, nil},
		{"swallowed-free", deadlock, execs, &onceward.Outcome{Ending: onceward.EndFree}, 1, 2, nil},
		{"in-rows", serialization, queries, &onceward.Outcome{Ending: onceward.EndFree}, 1, 2, nil},
		{"in-a-row", serialization, queriesRow, &onceward.Outcome{Ending: onceward.EndFree}, 1, 2, nil},
		{"in-a-batch", serialization, batches, &onceward.Outcome{Ending: onceward.EndFree}, 1, 2, nil},
		{"unseen", serialization, unseen, &onceward.Outcome{Ending: onceward.EndSave}, 1, 2, nil},
		{"always", serialization, execs, nil, 100, DefaultAttempts, onceward.ErrFreed},
		{"always-swallowed", serialization, execs, &onceward.Outcome{Ending: onceward.EndSave}, 100, DefaultAttempts, onceward.ErrStoreUnavailable},
		{"recovered", serialization, inSavepoint, nil, 1, 1, nil},
		{"another", "P0001", execs, nil, 1, 1, onceward.ErrFreed},
		{"prepared-anew", "0A000", deallocates, nil, 1, 2, nil},
		{"not-supported", "0A000", execs, nil, 1, 1, onceward.ErrFreed},
	} {
		key, runs := keyOf(t, c.name), 0
		x := b.transactor(t, pool, TransactConfig{})
		result, err := x.Do(t.Context(), callOf(key), func(ctx context.Context, a onceward.Attempt) onceward.Outcome {
			if runs++; a.N != runs {
				t.Errorf("%s: attempt %d says that it is %d", c.name, runs, a.N)
			}
			out := b.pay(key)(ctx, Tx(ctx))
			if runs <= c.times {
				if err := c.how(ctx, Tx(ctx), raise(c.code)); err != nil {
					out = onceward.DoubtError(err)
				}
				if c.out != nil {
					out = *c.out
				}
			}
			return out
		})
		if !errors.Is(err, c.err) || c.err == nil && (err != nil || result.Reply.Status != 201) || runs != c.runs {
			t.Errorf("%s: %v, %v, %d runs", c.name, result, err, runs)
		}
		want := []string{key.Text()}
		if c.err != nil {
			want = nil
		}
		b.balance(t, want...)
		exec(t, db.owner, strings.ReplaceAll("DELETE FROM {s}.ledger; UPDATE {s}.accounts SET balance = 0", "{s}", b.schema))
	}
}

func execs(ctx context.Context, tx pgx.Tx, sql string) error {
	_, err := tx.Exec(ctx, sql)
	return err
}

func queries(ctx context.Context, tx pgx.Tx, sql string) error {
	rows, _ := tx.Query(ctx, sql)
	for rows.Next() {
	}
	return nil
}

func queriesRow(ctx context.Context, tx pgx.Tx, sql string) error {
	_ = tx.QueryRow(ctx, sql).Scan()
	return nil
}

func batches(ctx context.Context, tx pgx.Tx, sql string) error {
	var b pgx.Batch
	b.Queue(sql)
	_ = tx.SendBatch(ctx, &b).Close()
	return nil
}

// unseen leaves everything open.
func unseen(ctx context.Context, tx pgx.Tx, sql string) error {
	_, _ = tx.Query(ctx, sql)
	return nil
}

// deallocates takes away the statements that our last flight counts on.
func deallocates(ctx context.Context, tx pgx.Tx, _ string) error {
	return execs(ctx, tx, "DEALLOCATE ALL")
}

func inSavepoint(ctx context.Context, tx pgx.Tx, sql string) error {
	point, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	_, _ = point.Exec(ctx, sql)
	return point.Rollback(ctx)
}

// What pgx's Tx can do works, but ending it.
func TestTransactTx(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{})
	key := keyOf(t, "k")
	ledger := b.schema + ".ledger"
	var kept pgx.Tx
	_, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		kept = tx
		if err := tx.Commit(ctx); !errors.Is(err, ErrNotYours) {
			t.Errorf("Commit: %v", err)
		}
		if err := tx.Rollback(ctx); !errors.Is(err, ErrNotYours) {
			t.Errorf("Rollback: %v", err)
		}
		if tx.Conn() != nil {
			t.Error("Conn can commit")
		}
		must := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		must("transfer", b.transfer(ctx, tx, key, 1)) // SendBatch
		must("BeginFunc", pgx.BeginFunc(ctx, tx, func(point pgx.Tx) error {
			inner, err := point.Begin(ctx)
			must("Begin", err)
			_, err = inner.Exec(ctx, "INSERT INTO "+ledger+" (key, amount) VALUES ('undone', 1)")
			must("Exec", err)
			must("Rollback", inner.Rollback(ctx))
			must("Rollback", ignoreClosed(inner.Rollback(ctx)))
			_, err = point.Exec(ctx, "INSERT INTO "+b.schema+".names VALUES ('in a savepoint')")
			return err
		}))
		n, err := tx.CopyFrom(ctx, pgx.Identifier{b.schema, "names"}, []string{"name"}, pgx.CopyFromRows([][]any{{"copied"}, {"too"}}))
		if must("CopyFrom", err); n != 2 {
			t.Errorf("%d copied", n)
		}
		_, err = tx.Prepare(ctx, "named", "SELECT count(*) FROM "+b.schema+".names")
		must("Prepare", err)
		rows, err := tx.Query(ctx, "named")
		must("Query", err)
		if got, err := pgx.CollectOneRow(rows, pgx.RowTo[int]); err != nil || got != 3 || rows.Conn() != nil {
			t.Errorf("%d names, %v", got, err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("LargeObjects, which could write after the function")
				}
			}()
			tx.LargeObjects()
		}()
		_, _ = tx.Query(ctx, "SELECT generate_series(1, 100000)") // left open: it is read to its end
		_ = tx.QueryRow(ctx, "SELECT 1")                          // which fails, since the connection is busy
		return onceward.Save(onceward.Reply{})
	})
	if err != nil {
		t.Fatal(err)
	}
	b.balance(t, "k")
	var names int
	if err := db.owner.QueryRow(t.Context(), "SELECT count(*) FROM "+b.schema+".names").Scan(&names); err != nil || names != 3 {
		t.Errorf("%d names, %v", names, err)
	}
	wantOutside(t, "after the function", kept)
	wantOutside(t, "outside of a function", Tx(t.Context()))
}

func wantOutside(t *testing.T, when string, tx pgx.Tx) {
	t.Helper()
	ctx := t.Context()
	_, begin := tx.Begin(ctx)
	_, execs := tx.Exec(ctx, "SELECT")
	rows, query := tx.Query(ctx, "SELECT")
	_, copies := tx.CopyFrom(ctx, nil, nil, nil)
	_, prepares := tx.Prepare(ctx, "", "SELECT")
	_, one := pgx.CollectOneRow(rows, pgx.RowTo[int])
	for what, err := range map[string]error{
		"Begin": begin, "Exec": execs, "Query": query, "CopyFrom": copies, "Prepare": prepares, "CollectOneRow": one, "Commit": tx.Commit(ctx), "Rollback": tx.Rollback(ctx),
		"QueryRow": tx.QueryRow(ctx, "SELECT").Scan(), "SendBatch": tx.SendBatch(ctx, new(pgx.Batch)).Close(), "rows": rows.Err(), "Scan": rows.Scan(),
	} {
		if !errors.Is(err, onceward.ErrNoAttempt) {
			t.Errorf("%s, %s: %v", when, what, err)
		}
	}
	if rows.Next() || rows.RawValues() != nil || rows.FieldDescriptions() != nil || rows.CommandTag() != (pgconn.CommandTag{}) {
		t.Errorf("%s: there are rows", when)
	}
}

// What is not admitted is refused before the function runs: on the database's clock, by the watermark, and by what the client says of itself.
func TestTransactAdmission(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{})
	s := db.again(t, b.schema)
	minted := func() onceward.Key {
		key, err := onceward.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	call := func(key onceward.Key, horizon int64) error {
		c := callOf(key)
		if horizon > 0 {
			c.Horizon = 2 * onceward.DefaultWindow
		}
		_, err := x.Transact(t.Context(), c, b.pay(key))
		return err
	}
	old, fresh := minted(), minted()
	if err := call(minted(), 1); !errors.Is(err, onceward.ErrHorizonTooLong) {
		t.Errorf("a long horizon: %v", err)
	}
	move(t, s, 2*onceward.DefaultWindow)
	if err := call(old, 0); !errors.Is(err, onceward.ErrKeyExpired) {
		t.Errorf("an old key: %v", err)
	}
	move(t, s, -4*onceward.DefaultWindow)
	if err := call(old, 0); !errors.Is(err, onceward.ErrKeyFromFuture) {
		t.Errorf("a key from the future: %v", err)
	}
	move(t, s, 2*onceward.DefaultWindow)
	stamp, _ := fresh.Stamp()
	if _, err := s.Seal(t.Context(), "bank", store.TimeOf(stamp)); err != nil {
		t.Fatal(err)
	}
	if err := call(fresh, 0); !errors.Is(err, onceward.ErrKeyExpired) {
		t.Errorf("a sealed key: %v", err)
	}
	b.balance(t)
}

// Records that the record store has left on the same table are what they are.
func TestTransactMeetsTheRecordStore(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	s := db.again(t, b.schema)
	x := b.transactor(t, db.pool, TransactConfig{})
	claim := func(key onceward.Key, start bool, policy store.Policy) store.ClaimRequest {
		call := callOf(key)
		q := claimOf(call.Scope.Identity(key), tokenOf(9))
		q.Fingerprints, q.Start, q.Policy = call.Fingerprint.Versions(), start, policy
		a, err := s.Claim(t.Context(), q)
		want(t, a, err, store.Granted)
		return q
	}
	pay := func(key onceward.Key) (onceward.Result, error) {
		return x.Transact(t.Context(), callOf(key), b.pay(key))
	}
	keys := map[string]onceward.Key{}
	for _, name := range []string{"claimed", "started", "rerun", "rerun-reject"} {
		keys[name] = keyOf(t, name)
		policy := store.MarkUnknown
		if strings.HasPrefix(name, "rerun") {
			policy = store.Rerun
		}
		claim(keys[name], name != "claimed", policy)
		if _, err := pay(keys[name]); !errors.Is(err, onceward.ErrInProgress) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cancelled := keyOf(t, "cancelled")
	a, err := s.Decide(t.Context(), store.DecideRequest{Identity: callOf(cancelled).Scope.Identity(cancelled), Token: tokenOf(8), Decision: store.Cancel})
	want(t, a, err, store.Applied)
	if _, err := pay(cancelled); !errors.Is(err, onceward.ErrNotExecuted) {
		t.Errorf("cancelled: %v", err)
	}
	move(t, s, 2*onceward.DefaultWindow) // the leases are over
	if _, err := pay(keys["started"]); !errors.Is(err, onceward.ErrOutcomeUnknown) {
		t.Errorf("unknown: %v", err)
	}
	b.balance(t)
	result, err := x.Transact(t.Context(), callOf(keys["rerun"]), func(ctx context.Context, tx pgx.Tx) onceward.Outcome { return onceward.Free(onceward.Reply{}) })
	if err != nil || result.Standing != onceward.Doubted {
		t.Errorf("a doubted record is not freed: %v, %v", result, err)
	}
	for _, name := range []string{"claimed", "rerun"} {
		if result, err := pay(keys[name]); err != nil || result.Replayed {
			t.Errorf("%s, taken over: %v, %v", name, result, err)
		}
		if result, err := pay(keys[name]); err != nil || !result.Replayed {
			t.Errorf("%s, again: %v, %v", name, result, err)
		}
		who := callOf(keys[name]).Scope.Identity(keys[name])
		q := completeOf(who, tokenOf(9), "late")
		a, err := s.Advance(t.Context(), q)
		want(t, a, err, store.Lost)
	}
	result, err = x.Transact(t.Context(), callOf(keys["rerun-reject"]), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		return onceward.Reject(onceward.Reply{Status: 7})
	})
	if err != nil || result.Reply.Status != 7 {
		t.Errorf("rejected: %v, %v", result, err)
	}
	if result, err := pay(keys["rerun-reject"]); err != nil || !result.Replayed || result.Reply.Status != 7 {
		t.Errorf("rejected, again: %v, %v", result, err)
	}
	b.balance(t, "claimed", "rerun")
}
