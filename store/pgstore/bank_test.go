package pgstore

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
)

// bank is business that does not deduplicate: a transfer that runs twice is in the ledger twice, and the balances show it.
type bank struct {
	tables
	schema string
}

const bankSQL = `CREATE TABLE %[1]s.accounts (name text PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO %[1]s.accounts SELECT 'from ' || n, 0 FROM generate_series(0, 15) n UNION ALL SELECT 'to ' || n, 0 FROM generate_series(0, 15) n;
CREATE TABLE %[1]s.ledger (n bigserial, key text NOT NULL, amount bigint NOT NULL);
CREATE TABLE %[1]s.names (name text PRIMARY KEY);`

// newBank makes the tables of the record store and of the bank.
func newBank(t testing.TB, d tables) *bank {
	t.Helper()
	s := d.fresh(t)
	b := &bank{d, s.config.Schema}
	exec(t, d.owner, fmt.Sprintf(bankSQL+`GRANT ALL ON ALL TABLES IN SCHEMA %[1]s TO %[2]q; GRANT ALL ON ALL SEQUENCES IN SCHEMA %[1]s TO %[2]q`,
		b.schema, d.pool.Config().ConnConfig.User))
	return b
}

// transactor returns a transactor on the bank's tables.
func (b *bank) transactor(t testing.TB, pool *pgxpool.Pool, c TransactConfig) *Transactor {
	t.Helper()
	c.Schema = b.schema
	if c.clock == "" {
		c.clock = fmt.Sprintf(testClock, b.schema)
	}
	x, err := NewTransactor(t.Context(), pool, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return x
}

// transfer moves an amount and enters it, in one round trip.
func (b *bank) transfer(ctx context.Context, tx pgx.Tx, key onceward.Key, amount int64) error {
	n := int(key.Text()[len(key.Text())-1]) % 16
	var batch pgx.Batch
	batch.Queue("UPDATE "+b.schema+".accounts SET balance = balance - $2 WHERE name = $1", fmt.Sprint("from ", n), amount)
	batch.Queue("UPDATE "+b.schema+".accounts SET balance = balance + $2 WHERE name = $1", fmt.Sprint("to ", n), amount)
	batch.Queue("INSERT INTO "+b.schema+".ledger (key, amount) VALUES ($1, $2)", key.Text(), amount)
	return tx.SendBatch(ctx, &batch).Close()
}

// pay is a function that transfers 1 and answers with its key.
func (b *bank) pay(key onceward.Key) func(context.Context, pgx.Tx) onceward.Outcome {
	return func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		if err := b.transfer(ctx, tx, key, 1); err != nil {
			return onceward.DoubtError(err)
		}
		return onceward.Save(onceward.Reply{Status: 201, Body: []byte("paid " + key.Text())})
	}
}

// balance fails unless exactly the given keys have been paid, once each, and the accounts agree.
func (b *bank) balance(t testing.TB, paid ...string) {
	t.Helper()
	rows, err := b.owner.Query(t.Context(), "SELECT key, count(*) FROM "+b.schema+".ledger GROUP BY key")
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int64{}
	var key string
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&key, &n}, func() error { count[key] = n; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, key := range paid {
		if count[key] != 1 {
			t.Errorf("%s has %d entries in the ledger, want 1", key, count[key])
		}
		delete(count, key)
	}
	for key, n := range count {
		t.Errorf("%s has %d entries in the ledger, want none", key, n)
	}
	var from, to int64
	if err := b.owner.QueryRow(t.Context(), "SELECT coalesce(sum(balance) FILTER (WHERE name LIKE 'from %'), 0), coalesce(sum(balance) FILTER (WHERE name LIKE 'to %'), 0) FROM "+
		b.schema+".accounts").Scan(&from, &to); err != nil {
		t.Fatal(err)
	}
	if from != -int64(len(paid)) || to != int64(len(paid)) {
		t.Errorf("the accounts have %d and %d, want %d", from, to, len(paid))
	}
}

// records is how many records there are.
func (b *bank) records(t testing.TB, where string) (n int) {
	t.Helper()
	if err := b.owner.QueryRow(t.Context(), "SELECT count(*) FROM "+b.schema+".records WHERE "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// What tests call with.

func keyOf(t testing.TB, text string) onceward.Key {
	t.Helper()
	key, err := onceward.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func callOf(key onceward.Key) onceward.Call {
	return onceward.Call{Scope: onceward.Scope{Service: "bank", Principal: "alice"}, Key: key, Fingerprint: onceward.BytesFingerprint("text/plain", []byte("pay 1"))}
}
