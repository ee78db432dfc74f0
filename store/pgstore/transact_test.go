package pgstore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
)

var isolations = []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable}

// Each ending of a function does with effect, record and key what the table in docs/guarantees.md says, at each isolation level.
func TestTransactEndings(t *testing.T) {
	db := serving(t)
	for _, isolation := range isolations {
		t.Run(string(isolation), func(t *testing.T) {
			b := newBank(t, db)
			x := b.transactor(t, db.pool, TransactConfig{Isolation: isolation, MaxReply: 100})
			reply := onceward.Reply{Status: 418, Body: []byte("as it is")}
			large := onceward.Reply{Body: make([]byte, 101)}
			cause := errors.New("why")
			for _, c := range []struct {
				name     string
				out      onceward.Outcome
				standing onceward.Standing
				err      error
				paid     bool
				second   error // what a later call gets; nil: a reply
				replayed bool  // or else it runs again
				notKept  bool
			}{
				{"save", onceward.Save(reply), onceward.Saved, nil, true, nil, true, false},
				{"save-large", onceward.Save(large), onceward.Saved, nil, true, onceward.ErrReplyNotKept, false, true},
				{"save-not-kept", onceward.SaveNotKept(reply), onceward.Saved, nil, true, onceward.ErrReplyNotKept, false, true},
				{"reject", onceward.Reject(reply), onceward.Saved, nil, false, nil, true, false},
				{"reject-large", onceward.Reject(large), onceward.Saved, nil, false, onceward.ErrReplyNotKept, false, true},
				{"free", onceward.Free(reply), onceward.Freed, nil, false, nil, false, false},
				{"free-error", onceward.FreeError(cause), 0, cause, false, onceward.ErrFreed, false, false},
				{"doubt", onceward.Doubt(reply), onceward.Freed, nil, false, nil, false, false},
				{"doubt-error", onceward.DoubtError(cause), 0, cause, false, onceward.ErrFreed, false, false},
			} {
				t.Run(c.name, func(t *testing.T) {
					key, runs := keyOf(t, c.name), 0
					call := func() (onceward.Result, error) {
						return x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
							runs++
							if err := b.transfer(ctx, tx, key, 1); err != nil {
								t.Error(err)
							}
							return c.out
						})
					}
					result, err := call()
					if !errors.Is(err, c.err) || c.err == nil && err != nil || result.Standing != c.standing || result.Replayed || result.NotKept != c.notKept ||
						c.err == nil && (result.Reply.Status != c.out.Reply.Status || string(result.Reply.Body) != string(c.out.Reply.Body)) {
						t.Fatalf("first: %v, %v", result, err)
					}
					if c.paid {
						b.balance(t, c.name)
					} else {
						b.balance(t)
					}
					result, err = call()
					if !errors.Is(err, c.second) || c.second == nil && err != nil || result.Replayed != c.replayed {
						t.Fatalf("second: %v, %v", result, err)
					}
					if again := runs == 2; again != (c.standing == onceward.Freed || c.err != nil) {
						t.Errorf("it ran %d times", runs)
					}
					exec(t, b.owner, strings.ReplaceAll("DELETE FROM {s}.ledger; UPDATE {s}.accounts SET balance = 0", "{s}", b.schema))
				})
			}
		})
	}
}

// A panic is undone, frees the key and goes on.
func TestTransactPanic(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	var told onceward.CallEvent
	x := b.transactor(t, db.pool, TransactConfig{Observer: onceward.Observer{Call: func(_ context.Context, e onceward.CallEvent) { told = e }}})
	key := keyOf(t, "k")
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v", got)
			}
		}()
		_, _ = x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			if err := b.transfer(ctx, tx, key, 1); err != nil {
				t.Error(err)
			}
			panic("boom")
		})
	}()
	if !errors.Is(told.Err, onceward.ErrFreed) || told.Ran == 0 {
		t.Errorf("the observer was told %+v", told)
	}
	b.balance(t)
	if result, err := x.Transact(t.Context(), callOf(key), b.pay(key)); err != nil || result.Replayed {
		t.Errorf("%v, %v", result, err)
	}
	b.balance(t, "k")
}
