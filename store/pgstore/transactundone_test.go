package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
)

// A ROLLBACK that never reaches the server leaves the transaction open. What a rejected function did in it is not committed with its answer.
func TestTransactRejectWhoseUndoIsNotSent(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{SaveLimit: 100 * time.Millisecond})
	key := keyOf(t, "k")
	result, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		out := b.pay(key)(ctx, tx)
		x.link.(*pgxLink).timeout = 0 // as for a process that is stopped here: pgx sends nothing when the time is over, and the connection lives
		return onceward.Reject(out.Reply)
	})
	if !errors.Is(err, onceward.ErrStoreUnavailable) {
		t.Errorf("%v, %v", result, err)
	}
	b.balance(t)
	if _, err := b.transactor(t, db.pool, TransactConfig{}).Transact(t.Context(), callOf(key), b.pay(key)); err != nil {
		t.Error(err)
	}
	b.balance(t, "k")
}

// The same by database/sql, with a driver that refuses to send it.
func TestSQLTransactRejectWhoseUndoIsNotSent(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	var refuse bool
	pool := sql.OpenDB(refusing{strangers{*db.pool.Config().ConnConfig}, &refuse})
	defer pool.Close()
	x := b.sqlTransactor(t, pool, TransactConfig{})
	key, runs := keyOf(t, "k"), 0
	result, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, q Querier) onceward.Outcome {
		out := b.sqlPay(key, onceward.Reject(onceward.Reply{Status: 409}))(ctx, q)
		runs++
		refuse = runs == 1
		return out
	})
	if err != nil || result.Reply.Status != 409 || runs != 2 {
		t.Errorf("%v, %v, %d runs", result, err, runs)
	}
	b.balance(t)
}

// refusing is a driver that sends the next text only if refuse is not set.
type refusing struct {
	strangers
	refuse *bool
}

func (s refusing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.strangers.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return refuser{c.(stranger), s.refuse}, nil
}

type refuser struct {
	stranger
	refuse *bool
}

func (s refuser) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if *s.refuse {
		*s.refuse = false
		return nil, errors.New("not sent")
	}
	return s.stranger.ExecContext(ctx, query, args)
}

// A function that has committed by itself, and whose next transaction was aborted, is found out also where its answer would replace a lapsed claim of record mode.
func TestTransactCommitThenErrorOverALapsedClaim(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	s := db.again(t, b.schema)
	for way, transact := range b.ways(t) {
		key := keyOf(t, way)
		lapsedClaim(t, s, key)
		result, err := transact(key, func(exec func(string) error) onceward.Outcome {
			for _, text := range []string{"INSERT INTO " + b.schema + ".ledger (key, amount) VALUES ('" + way + "', 0)", "COMMIT; BEGIN"} {
				if err := exec(text); err != nil {
					t.Error(err)
				}
			}
			_ = exec("SELECT 1/0")
			return onceward.Reject(onceward.Reply{Status: 409})
		})
		if !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v, %v", way, result, err)
		}
		if n := b.records(t, "state = 2 AND key = '"+way+"'"); n != 1 {
			t.Errorf("%s: %d open records", way, n)
		}
	}
}
