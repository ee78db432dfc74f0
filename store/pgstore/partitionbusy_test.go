package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
)

// While a function runs the table cannot be laid out; whoever comes meanwhile waits for one try at most, and a later try succeeds.
func TestPartitionLetsOthersPass(t *testing.T) {
	b := newBank(t, serving(t))
	s := b.again(t, b.schema)
	x := b.transactor(t, b.pool, TransactConfig{})
	first, let := b.holding(t, x, keyOf(t, "k"))
	c := PartitionConfig{Schema: b.schema, Width: testWidth, clock: fmt.Sprintf(testClock, b.schema), patience: 300 * time.Millisecond, pause: 300 * time.Millisecond}
	laid := make(chan error, 1)
	go func() {
		_, err := Partition(t.Context(), b.owner, c)
		laid <- err
	}()
	for n := range 2 {
		eventually(t, b.tables, "the layout waits",
			"SELECT EXISTS (SELECT FROM pg_locks WHERE relation = $1::regclass AND mode = 'AccessExclusiveLock' AND NOT granted)", b.schema+".records")
		bounded, stop := context.WithTimeout(t.Context(), 5*time.Second) // fails if it waits for the function, which waits for this
		a, err := s.Claim(bounded, claimOf(identity(fmt.Sprint("k", n), 0), tokenOf(1)))
		stop()
		want(t, a, err, store.Granted)
	}
	let()
	if got := <-first; got.err != nil {
		t.Error(got.err)
	}
	if err := <-laid; err != nil {
		t.Error(err)
	}
	if _, ok, err := Partitioning(t.Context(), b.pool, b.schema); err != nil || !ok {
		t.Errorf("partitioned %v, %v", ok, err)
	}
}

// It does not try for ever.
func TestPartitionGivesUp(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	r := newRival(t, db, s)
	r.do("SELECT FROM " + r.schema + ".records")
	c := PartitionConfig{Schema: r.schema, Width: testWidth, patience: time.Millisecond, pause: time.Millisecond}
	if _, err := Partition(t.Context(), db.owner, c); !isCode(err, lockNotAvailable) {
		t.Errorf("%v", err)
	}
	c.pause = time.Hour
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	if _, err := Partition(ctx, db.owner, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if _, ok, err := Partitioning(t.Context(), db.pool, r.schema); err != nil || ok {
		t.Errorf("partitioned %v, %v", ok, err)
	}
}

// frozen is a process that stalls before it sends a statement of its transaction.
type frozen struct {
	*pgxpool.Pool
	stall func(statement string)
}

type frozenTx struct {
	pgx.Tx
	stall func(statement string)
}

func (f frozen) BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	tx, err := f.Pool.BeginTx(ctx, options)
	return frozenTx{tx, f.stall}, err
}

func (f frozenTx) Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error) {
	f.stall(statement)
	return f.Tx.Exec(ctx, statement, args...)
}

// A process that stalls while it has the table locked is put out, and the table is as it was.
func TestStalledPartitionIsPutOut(t *testing.T) {
	db := serving(t)
	s := db.fresh(t)
	stalled := false
	f := frozen{db.owner, func(statement string) {
		if stalled || !strings.Contains(statement, "keep_window") {
			return
		}
		stalled = true
		bounded, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		a, err := s.Claim(bounded, claimOf(identity("k", 0), tokenOf(1)))
		want(t, a, err, store.Granted)
	}}
	c := PartitionConfig{Schema: s.config.Schema, Width: testWidth, clock: fmt.Sprintf(testClock, s.config.Schema), stall: "100ms"}
	if changed, err := Partition(t.Context(), f, c); !isLost(err) || changed || !stalled {
		t.Errorf("changed %v, stalled %v, %v", changed, stalled, err)
	}
	if _, ok, err := Partitioning(t.Context(), db.pool, s.config.Schema); err != nil || ok {
		t.Errorf("partitioned %v, %v", ok, err)
	}
}
