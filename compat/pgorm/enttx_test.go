package pgorm

import (
	"context"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/onceward/onceward/store/pgstore"
)

// entTx is a driver on the transaction of the guarded handler that ctx belongs to: ent.NewClient(ent.Driver(entTx(r.Context()))).
func entTx(ctx context.Context) dialect.Driver {
	return entDriver{entsql.Conn{ExecQuerier: pgstore.SQL(ctx)}}
}

type entDriver struct{ entsql.Conn }

// Dialect is PostgreSQL's.
func (entDriver) Dialect() string { return dialect.Postgres }

// Close does nothing: the transaction is onceward's.
func (entDriver) Close() error { return nil }

// Tx returns the same transaction. ent begins one for each UpdateOne.
func (d entDriver) Tx(context.Context) (dialect.Tx, error) { return d, nil }

// Commit leaves it to onceward.
func (entDriver) Commit() error { return nil }

// Rollback is refused: the handler's answer decides.
func (entDriver) Rollback() error { return pgstore.ErrNotYours }
