package pgstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// told is what a call came to.
type told struct {
	onceward.Result
	err error
}

// inBackground calls.
func inBackground(call func() (onceward.Result, error)) <-chan told {
	c := make(chan told, 1)
	go func() {
		r, err := call()
		c <- told{r, err}
	}()
	return c
}

// holding lets a function of x pay and then wait. It returns when it waits; let ends it.
func (b *bank) holding(t *testing.T, x *Transactor, key onceward.Key) (first <-chan told, let func()) {
	t.Helper()
	at, on := make(chan struct{}), make(chan struct{})
	let = sync.OnceFunc(func() { close(on) })
	t.Cleanup(let) // before Close, which waits for it
	first = inBackground(func() (onceward.Result, error) {
		return x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			out := b.pay(key)(ctx, tx)
			close(at)
			<-on
			return out
		})
	})
	<-at
	return first, let
}

// A duplicate in another process waits before its function runs, and then has the reply: at each level, also where its snapshot is from before the wait.
func TestTransactDuplicateWaitsBeforeItRuns(t *testing.T) {
	db := serving(t)
	for _, isolation := range isolations {
		t.Run(string(isolation), func(t *testing.T) {
			b := newBank(t, db)
			x, y := b.transactor(t, db.pool, TransactConfig{Isolation: isolation, Wait: time.Minute}), b.transactor(t, db.pool, TransactConfig{Isolation: isolation, Wait: time.Minute})
			key := keyOf(t, "k")
			first, let := b.holding(t, x, key)
			second := inBackground(func() (onceward.Result, error) {
				return y.Transact(t.Context(), callOf(key), func(context.Context, pgx.Tx) onceward.Outcome {
					t.Error("the duplicate runs")
					return onceward.Free(onceward.Reply{})
				})
			})
			somebodyWaits(t, db)
			let()
			if r := <-first; r.err != nil || r.Replayed {
				t.Errorf("first: %v, %v", r.Result, r.err)
			}
			if r := <-second; r.err != nil || !r.Replayed || string(r.Reply.Body) != "paid k" {
				t.Errorf("second: %v, %v", r.Result, r.err)
			}
			b.balance(t, "k")
		})
	}
}

// A record that comes to be without the lock, or just before it was taken, cannot be seen by a snapshot. The function runs, loses at the end, and answers from
// the record: also where it has given up because of what it met.
func TestTransactLoserAnswersFromTheRecord(t *testing.T) {
	db := serving(t)
	for _, isolation := range isolations[1:] {
		for _, end := range []onceward.Outcome{
			onceward.Save(onceward.Reply{Status: 1}), onceward.Reject(onceward.Reply{Status: 1}), onceward.Free(onceward.Reply{Status: 1}),
			onceward.DoubtError(errors.New("x")),
		} {
			t.Run(fmt.Sprint(isolation, end.Ending), func(t *testing.T) {
				b := newBank(t, db)
				x := b.transactor(t, db.pool, TransactConfig{Isolation: isolation})
				key, other, runs := keyOf(t, "k"), keyOf(t, "other"), 0
				if _, err := x.Transact(t.Context(), callOf(other), b.pay(other)); err != nil {
					t.Fatal(err)
				}
				result, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
					runs++
					if _, err := tx.Exec(ctx, "INSERT INTO "+b.schema+".ledger (key, amount) VALUES ('twice', 1)"); err != nil {
						t.Error(err)
					}
					b.copyRecord(t, callOf(key).Scope.Identity(key).ID)
					return end
				})
				if err != nil || !result.Replayed || string(result.Reply.Body) != "paid other" || runs != 1 {
					t.Errorf("%v, %v, %d runs", result, err, runs)
				}
				b.balance(t, "other")
			})
		}
	}
}

// copyRecord writes the only record once more, under another id, without the lock.
func (b *bank) copyRecord(t *testing.T, id store.ID) {
	t.Helper()
	if _, err := b.owner.Exec(t.Context(), fmt.Sprintf(`INSERT INTO %[1]s.records SELECT r.* FROM %[1]s.records old, jsonb_populate_record(old, jsonb_build_object('id', $1::bytea::text)) r`,
		b.schema), id[:]); err != nil {
		t.Error(err)
	}
}

// What a snapshot shows is not the answer, unless it is final: here a lapsed claim that record mode completes while the duplicate waits.
func TestTransactSnapshotIsNotTheAnswer(t *testing.T) {
	db := serving(t)
	for _, isolation := range isolations {
		b := newBank(t, db)
		s := db.again(t, b.schema)
		x := b.transactor(t, db.pool, TransactConfig{Isolation: isolation, Wait: time.Minute})
		key := keyOf(t, "k")
		who := callOf(key).Scope.Identity(key)
		q := claimOf(who, tokenOf(9))
		q.Fingerprints = callOf(key).Fingerprint.Versions()
		a, err := s.Claim(t.Context(), q)
		want(t, a, err, store.Granted)
		move(t, s, 2*time.Hour)
		holder, err := db.owner.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_xact_lock($1)", idLock(who.ID)); err != nil {
			t.Fatal(err)
		}
		call := inBackground(func() (onceward.Result, error) { return x.Transact(t.Context(), callOf(key), b.pay(key)) })
		somebodyWaits(t, db)
		reply, err := onceward.Reply{Status: 202}.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = holder.Exec(t.Context(), "UPDATE "+b.schema+".records SET state = 3, lease = NULL, ended = 1, reply = $1, done_at = 1, purge_at = 99999999999999", reply)
		if err := errors.Join(err, holder.Commit(t.Context())); err != nil {
			t.Fatal(err)
		}
		if r := <-call; r.err != nil || !r.Replayed || r.Reply.Status != 202 {
			t.Errorf("%s: %v, %v", isolation, r.Result, r.err)
		}
	}
}

// Uniqueness rests on the index. Somebody who writes the record without the lock, as two ids with one lock might, makes the transaction lose.
func TestTransactIndexDecides(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{})
	key, other := keyOf(t, "k"), keyOf(t, "other")
	if _, err := x.Transact(t.Context(), callOf(other), b.pay(other)); err != nil {
		t.Fatal(err)
	}
	id := callOf(key).Scope.Identity(key).ID
	runs := 0
	result, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		runs++
		b.copyRecord(t, id)
		return b.pay(key)(ctx, tx)
	})
	if err != nil || !result.Replayed || string(result.Reply.Body) != "paid other" || runs != 1 {
		t.Errorf("%v, %v, %d runs", result, err, runs)
	}
	b.balance(t, "other")
}

// A wait is bounded, and its answer says when to come again.
func TestTransactWaitIsBounded(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	key := keyOf(t, "k")
	first, let := b.holding(t, b.transactor(t, db.pool, TransactConfig{}), key)
	defer func() { <-first }()
	defer let()
	for _, wait := range []time.Duration{onceward.NoWait, 10 * time.Millisecond, 100 * time.Millisecond} {
		x := b.transactor(t, db.pool, TransactConfig{Wait: wait})
		began := time.Now()
		_, err := x.Transact(t.Context(), callOf(key), b.pay(key))
		var e *onceward.Error
		if !errors.As(err, &e) || !errors.Is(err, onceward.ErrInProgress) || e.RetryAfter == 0 {
			t.Errorf("%v: %v", wait, err)
		}
		if took := time.Since(began); took < wait {
			t.Errorf("it waits %v instead of %v", took, wait)
		}
	}
	// In the same process nobody asks the database, and a caller that leaves stops waiting.
	x := b.transactor(t, db.pool, TransactConfig{Wait: time.Minute})
	other := keyOf(t, "l")
	second, letSecond := b.holding(t, x, other)
	defer func() { <-second }()
	defer letSecond()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Transact(ctx, callOf(other), b.pay(other)); !errors.Is(err, onceward.ErrInProgress) || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has left: %v", err)
	}
}

// What the session had set is what the function finds: SET LOCAL … TO DEFAULT would give it the role's.
func TestTransactRestoresTheLockTimeout(t *testing.T) {
	db := ownDatabase(t)
	exec(t, db.owner, "ALTER DATABASE "+database(db.owner)+" SET lock_timeout = '9s'")
	config := db.pool.Config()
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET lock_timeout = '7s'")
		return err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	b := newBank(t, db)
	show := func(q interface {
		QueryRow(context.Context, string, ...any) pgx.Row
	}) (got string) {
		if err := q.QueryRow(t.Context(), "SELECT current_setting('lock_timeout')").Scan(&got); err != nil {
			t.Error(err)
		}
		return got
	}
	x := b.transactor(t, pool, TransactConfig{})
	key, held := keyOf(t, "k"), keyOf(t, "held")
	found := func(key onceward.Key) func() (onceward.Result, error) {
		return func() (onceward.Result, error) {
			return x.Transact(t.Context(), callOf(key), func(_ context.Context, tx pgx.Tx) onceward.Outcome {
				if got := show(tx); got != "7s" {
					t.Errorf("in the function lock_timeout is %s, want the session's 7s", got)
				}
				return onceward.Save(onceward.Reply{})
			})
		}
	}
	if _, err := found(key)(); err != nil {
		t.Error(err)
	}
	holder, err := db.owner.Begin(t.Context()) // and after a wait
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_xact_lock($1)", idLock(callOf(held).Scope.Identity(held).ID)); err != nil {
		t.Fatal(err)
	}
	waited := inBackground(found(held))
	somebodyWaits(t, db)
	if err := holder.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	if r := <-waited; r.err != nil {
		t.Error(r.err)
	}
	if got := show(pool); got != "7s" {
		t.Errorf("afterwards lock_timeout is %s, want the session's 7s", got)
	}
}

// 200 copies of ten requests, whose owners are in another process and take their time, on a pool of four: whoever else comes is served.
func TestStarveNobody(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	pool := open(t, db.pool.Config().ConnString()+"&pool_max_conns=4")
	x := b.transactor(t, pool, TransactConfig{Wait: time.Minute})
	holder, err := db.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var paid []string
	for k := range 10 { // as an owner in another process would
		key := keyOf(t, fmt.Sprint("held-", k))
		if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_xact_lock($1)", idLock(callOf(key).Scope.Identity(key).ID)); err != nil {
			t.Fatal(err)
		}
		paid = append(paid, key.Text())
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for n := range 200 {
		key := keyOf(t, fmt.Sprint("held-", n%10))
		all.Go(func() {
			r, err := x.Transact(t.Context(), callOf(key), b.pay(key))
			mu.Lock()
			defer mu.Unlock()
			if err != nil || string(r.Reply.Body) != "paid "+key.Text() {
				t.Errorf("a copy: %v, %v", r, err)
			}
			if !r.Replayed {
				fresh++
			}
		})
	}
	somebodyWaits(t, db)
	var longest time.Duration
	for n := range 20 {
		key, began := keyOf(t, fmt.Sprint("free-", n)), time.Now()
		if r, err := x.Transact(t.Context(), callOf(key), b.pay(key)); err != nil || r.Replayed {
			t.Errorf("somebody else: %v, %v", r, err)
		}
		longest = max(longest, time.Since(began))
		paid = append(paid, key.Text())
	}
	t.Logf("somebody else waited for %v at most", longest)
	if err := holder.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	all.Wait()
	if fresh != 10 {
		t.Errorf("%d copies ran, want 10", fresh)
	}
	b.balance(t, paid...)
}

// Other requests under the key of one that runs wait in memory as well: a client that has one key for all that it sends takes no connections from others.
func TestStarveNobodyByOtherRequests(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	pool := open(t, db.pool.Config().ConnString())
	x := b.transactor(t, pool, TransactConfig{Wait: 200 * time.Millisecond})
	key := keyOf(t, "k")
	first, let := b.holding(t, x, key)
	other := callOf(key)
	other.Fingerprint = onceward.BytesFingerprint("text/plain", []byte("pay 2"))
	before := pool.Stat().AcquireCount()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if r, err := x.Transact(t.Context(), other, b.pay(key)); !errors.Is(err, onceward.ErrInProgress) {
				t.Errorf("another request: %v, %v", r, err)
			}
		})
	}
	all.Wait()
	if n := pool.Stat().AcquireCount() - before; n > 0 {
		t.Errorf("%d connections were taken", n)
	}
	x.config.Wait = time.Minute
	waits := make(chan struct{})
	second := inBackground(func() (onceward.Result, error) {
		return x.Transact(waiting{t.Context(), sync.OnceFunc(func() { close(waits) })}, other, b.pay(key))
	})
	<-waits
	let()
	if r := <-first; r.err != nil {
		t.Error(r.err)
	}
	if r := <-second; !errors.Is(r.err, onceward.ErrKeyReused) {
		t.Errorf("another request, in the end: %v, %v", r.Result, r.err)
	}
	b.balance(t, "k")
}

// waiting says when somebody begins to wait for its end.
type waiting struct {
	context.Context
	told func()
}

func (w waiting) Done() <-chan struct{} {
	w.told()
	return w.Context.Done()
}
