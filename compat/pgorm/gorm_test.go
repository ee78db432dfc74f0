package pgorm

import (
	"context"
	"errors"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/pgstore"
)

// gormDB is a program's GORM on its pool, with what could get in the way: prepared statements, and a transaction of its own around each write.
var gormDB *gorm.DB

// gormTransfer is a row of transfers.
type gormTransfer struct {
	ID           int64 `gorm:"primaryKey;autoIncrement"`
	Payer, Payee string
	Amount       int64
}

// TableName names the table.
func (gormTransfer) TableName() string { return "transfers" }

var viaGORM = library{
	name: "gorm",
	exec: func(t *testing.T, db *database) onceward.Executor {
		opened, err := gorm.Open(postgres.New(postgres.Config{Conn: db.sql}), &gorm.Config{PrepareStmt: true, Logger: logger.Discard})
		if err != nil {
			t.Fatal(err)
		}
		gormDB = opened
		return sqlExecutor(t, db)
	},
	transfer: func(ctx context.Context, wish transfer) (int64, error) {
		row := gormTransfer{Payer: payer, Payee: payee, Amount: wish.Amount}
		tx := gormTx(ctx, gormDB)
		if err := tx.CreateInBatches([]*gormTransfer{&row}, 1).Error; err != nil {
			return 0, err
		}
		undo := errors.New("undo")
		err := tx.Transaction(func(point *gorm.DB) error { // a savepoint
			return errors.Join(point.Create(&gormTransfer{Payer: payee, Payee: payer, Amount: 1}).Error, undo)
		})
		if !errors.Is(err, undo) {
			return 0, err
		}
		for name, amount := range map[string]int64{payer: -wish.Amount, payee: wish.Amount} {
			if err := tx.Table("accounts").Where("name = ?", name).Update("balance", gorm.Expr("balance + ?", amount)).Error; err != nil {
				return 0, err
			}
		}
		return row.ID, tx.First(&gormTransfer{}, row.ID).Error
	},
	escape: func(ctx context.Context) (ways []string) {
		tx := gormTx(ctx, gormDB)
		ways = notRefused(ways, "Commit", tx.Session(&gorm.Session{}).Commit().Error)
		ways = notRefused(ways, "Rollback", tx.Session(&gorm.Session{}).Rollback().Error)
		ways = notRefused(ways, "Begin", tx.Begin().Error)
		_, err := tx.DB()
		ways = notRefused(ways, "DB", err)
		return canEnd(ways, pgstore.SQL(ctx))
	},
}
