package pgstore

import (
	"testing"
	"time"

	"github.com/onceward/onceward"
)

// What a new operation costs on each layout: time, and bytes of the log. The same transaction, key by key, on one connection.
func BenchmarkNewOperation(b *testing.B) {
	db := serving(b)
	for name, width := range map[string]time.Duration{"plain": 0, "4 partitions": 24 * time.Hour, "8 partitions": 6 * time.Hour, "26 partitions": time.Hour} {
		b.Run(name, func(b *testing.B) {
			bank := newBank(b, db)
			if width != 0 {
				db.partition(b, bank.schema, width)
			}
			x := bank.transactor(b, db.pool, TransactConfig{MaintainEvery: onceward.NoMaintenance, clock: wallClock})
			position := func() (at int64) {
				if err := db.owner.QueryRow(b.Context(), "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").Scan(&at); err != nil {
					b.Fatal(err)
				}
				return at
			}
			call := func() {
				key, err := onceward.TypeID{}.Mint()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := x.Transact(b.Context(), callOf(key), bank.pay(key)); err != nil {
					b.Fatal(err)
				}
			}
			for range 20 {
				call()
			}
			exec(b, db.owner, "CHECKPOINT")
			began := position()
			b.ResetTimer()
			for range b.N {
				call()
			}
			b.StopTimer()
			b.ReportMetric(float64(position()-began)/float64(b.N), "log-B/op")
		})
	}
}
