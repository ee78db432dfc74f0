package pgstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
)

// A row purge leaves partitions alone: what is over there falls with them.
func TestPurgeLeavesPartitionsAlone(t *testing.T) {
	p := newParted(t)
	o := p.nearly(t)
	p.maintain(t)
	if at := p.bucket(t, o.over.Record.Identity); at != int64(o.over.Record.Stamp) {
		t.Errorf("the record that is over is in bucket %d, want its partition", at)
	}
}

// Dropping a partition costs the same whether ten thousand rows are in it or a million: by the bytes of the log that it writes. The time is printed.
func TestPartitionFallsInConstantTime(t *testing.T) {
	few, many := 1000, 20_000
	if os.Getenv("ONCEWARD_SOAK") != "" {
		few, many = 10_000, 1_000_000
	}
	cost := func(n int) int64 {
		p := newParted(t)
		o := p.nearly(t)
		exec(t, p.owner, fmt.Sprintf(`INSERT INTO %[1]s.records (bucket, id, token, service, principal, key, stamp, first_seen, version, claims, policy,
				doubted, safe_new_key, state, ended, done_at, purge_at, reply)
			SELECT %[2]d, sha256(n::text::bytea), decode(md5(n::text), 'hex'), 'orders', 'alice', n::text::bytea, %[2]d, n, 1, 1, 0, false, false, 3, 1, n, n,
				convert_to(repeat(md5(n::text), 30), 'utf8')
			FROM generate_series(1, %[3]d) n`, p.schema, o.over.Record.Stamp, n))
		exec(t, p.owner, "ANALYZE "+p.schema+".records")
		p.older(t, p.later(t, o))
		exec(t, p.owner, "CHECKPOINT")
		position := func() (at int64) {
			if err := p.owner.QueryRow(t.Context(), "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").Scan(&at); err != nil {
				t.Fatal(err)
			}
			return at
		}
		before, began := position(), time.Now()
		p.maintain(t)
		took, wrote := time.Since(began), position()-before
		p.survived(t, o)
		t.Logf("%d rows: %v, %d bytes of log", n, took.Round(time.Millisecond), wrote)
		return wrote
	}
	if small, large := cost(few), cost(many); large-small > 10*int64(many-few) { // a row that is removed writes some 60 bytes
		t.Errorf("%d bytes of log with %d rows, %d with %d: not constant", small, few, large, many)
	}
}

// At the narrowest width that is allowed, a server with default settings has room for the locks of all of its connections: twice max_locks_per_transaction for each.
func TestNarrowestPartitionsFitTheLocks(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	narrowest := onceward.DefaultWindow / 24
	if _, err := Partition(t.Context(), db.owner, PartitionConfig{Schema: b.schema, Width: narrowest - time.Second}); !errors.Is(err, onceward.ErrConfig) {
		t.Errorf("a narrower width: %v", err)
	}
	db.partition(t, b.schema, narrowest)
	key, err := onceward.TypeID{}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	var locks, room int
	_, err = b.transactor(t, db.pool, TransactConfig{}).Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		if err := tx.QueryRow(ctx, "SELECT count(*), 2 * current_setting('max_locks_per_transaction')::int FROM pg_locks WHERE pid = pg_backend_pid()").Scan(&locks, &room); err != nil {
			t.Error(err)
		}
		return b.pay(key)(ctx, tx)
	})
	if err != nil || locks == 0 || locks > room {
		t.Errorf("one transaction has %d locks, there is room for %d; %v", locks, room, err)
	}
}
