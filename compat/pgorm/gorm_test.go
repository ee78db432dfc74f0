package pgorm

import (
	"context"
	"errors"
	"sync"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/onceward/onceward/store/pgstore"
)

// gormDB is GORM without a database: each handler gives it its transaction. A program has one already, on its *sql.DB.
var gormDB = sync.OnceValues(func() (*gorm.DB, error) {
	return gorm.Open(postgres.New(postgres.Config{Conn: &gormPool{pgstore.SQL(context.Background())}}),
		&gorm.Config{DisableAutomaticPing: true, Logger: logger.Discard})
})

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
	exec: sqlExecutor,
	transfer: func(ctx context.Context, wish transfer) (int64, error) {
		db, err := gormDB()
		if err != nil {
			return 0, err
		}
		row := gormTransfer{Payer: payer, Payee: payee, Amount: wish.Amount}
		tx := gormTx(ctx, db)
		if err := tx.CreateInBatches([]*gormTransfer{&row}, 1).Error; err != nil {
			return 0, err
		}
		undo := errors.New("undo")
		err = tx.Transaction(func(point *gorm.DB) error { // a savepoint
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
		db, err := gormDB()
		if err != nil {
			return []string{err.Error()}
		}
		tx := gormTx(ctx, db)
		ways = notRefused(ways, "Commit", tx.Session(&gorm.Session{}).Commit().Error)
		ways = notRefused(ways, "Rollback", tx.Session(&gorm.Session{}).Rollback().Error)
		ways = notRefused(ways, "Begin", tx.Begin().Error)
		_, err = tx.DB()
		ways = notRefused(ways, "DB", err)
		return canEnd(ways, pgstore.SQL(ctx))
	},
}
