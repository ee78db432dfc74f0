package pgstore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
)

// An answer that cannot be read is no reason to ask again and again: nothing is wrong with the connection.
func TestTransactUnreadableAnswer(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	x := b.transactor(t, db.pool, TransactConfig{})
	exec(t, db.owner, strings.ReplaceAll("ALTER TABLE {s}.watermarks ALTER watermark TYPE numeric(40,1); INSERT INTO {s}.watermarks VALUES ('bank', 1.5)", "{s}", b.schema))
	before, key := db.pool.Stat().AcquireCount(), keyOf(t, "k")
	if result, err := x.Transact(t.Context(), callOf(key), b.pay(key)); !errors.Is(err, onceward.ErrStoreUnavailable) {
		t.Errorf("%v, %v", result, err)
	}
	if n := db.pool.Stat().AcquireCount() - before; n != 1 {
		t.Errorf("%d connections taken", n)
	}
	b.balance(t)
}

// A role that the function has changed to, as for row level security, cannot write the record: the error says what to do.
func TestTransactForeignRole(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	role := "tenant_" + b.schema
	exec(t, db.owner, strings.NewReplacer("{r}", role, "{s}", b.schema, "{u}", db.pool.Config().ConnConfig.User).Replace(
		`CREATE ROLE {r}; GRANT {r} TO "{u}"; GRANT USAGE ON SCHEMA {s} TO {r}; GRANT ALL ON {s}.ledger, {s}.accounts TO {r}; GRANT ALL ON ALL SEQUENCES IN SCHEMA {s} TO {r}`))
	t.Cleanup(func() { _, _ = db.owner.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	x := b.transactor(t, db.pool, TransactConfig{clock: wallClock}) // the tests' clock is a table that the role may not read
	key := keyOf(t, "k")
	pay := func(back string) error {
		_, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			_, err := tx.Exec(ctx, "SET LOCAL ROLE "+role)
			out := b.pay(key)(ctx, tx)
			_, err2 := tx.Exec(ctx, back)
			if err := errors.Join(err, err2); err != nil {
				t.Error(err)
			}
			return out
		})
		return err
	}
	if err := pay("SELECT"); !errors.Is(err, onceward.ErrFreed) || !errors.Is(err, ErrGrants) || !strings.Contains(err.Error(), "RESET ROLE") {
		t.Error(err)
	}
	b.balance(t)
	if err := pay("RESET ROLE"); err != nil {
		t.Error(err)
	}
	b.balance(t, "k")
}
