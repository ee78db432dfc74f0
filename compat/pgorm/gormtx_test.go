package pgorm

import (
	"context"

	"gorm.io/gorm"

	"github.com/onceward/onceward/store/pgstore"
)

// gormTx is db on the transaction of the guarded handler that ctx belongs to: gormTx(r.Context(), db).Create(&order).
func gormTx(ctx context.Context, db *gorm.DB) *gorm.DB {
	tx := db.Session(&gorm.Session{Context: ctx, SkipDefaultTransaction: true})
	tx.Statement.ConnPool = &gormPool{pgstore.SQL(ctx)}
	return tx
}

// gormPool has Commit and Rollback so that GORM knows that it is within a transaction. It must be a pointer.
type gormPool struct{ pgstore.Querier }

// Commit is refused.
func (*gormPool) Commit() error { return pgstore.ErrNotYours }

// Rollback is refused.
func (*gormPool) Rollback() error { return pgstore.ErrNotYours }
