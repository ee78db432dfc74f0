package pgorm

import (
	"context"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/sqlgraph"
	"entgo.io/ent/schema/field"

	"github.com/onceward/onceward/store/pgstore"
)

// The calls are those of the code that ent generates for Create, UpdateOne and Update.
var viaEnt = library{
	name: "ent",
	exec: sqlExecutor,
	transfer: func(ctx context.Context, wish transfer) (int64, error) {
		driver := entTx(ctx)
		create := sqlgraph.NewCreateSpec("transfers", sqlgraph.NewFieldSpec("id", field.TypeInt64))
		create.SetField("payer", field.TypeString, payer)
		create.SetField("payee", field.TypeString, payee)
		create.SetField("amount", field.TypeInt64, wish.Amount)
		if err := sqlgraph.CreateNode(ctx, driver, create); err != nil {
			return 0, err
		}
		id := create.ID.Value.(int64)

		// UpdateOne: in a transaction of ent's own.
		one := sqlgraph.NewUpdateSpec("accounts", []string{"name", "balance"}, sqlgraph.NewFieldSpec("name", field.TypeString))
		one.Node.ID.Value = payer
		one.AddField("balance", field.TypeInt64, -wish.Amount)
		var balance int64
		one.ScanValues = func([]string) ([]any, error) { return []any{new(string), &balance}, nil }
		one.Assign = func([]string, []any) error { return nil }
		if err := sqlgraph.UpdateNode(ctx, driver, one); err != nil {
			return 0, err
		}

		// Update, of all that a predicate fits.
		many := sqlgraph.NewUpdateSpec("accounts", []string{"name"}, sqlgraph.NewFieldSpec("name", field.TypeString))
		many.Predicate = func(s *entsql.Selector) { s.Where(entsql.EQ("name", payee)) }
		many.AddField("balance", field.TypeInt64, wish.Amount)
		_, err := sqlgraph.UpdateNodes(ctx, driver, many)
		return id, err
	},
	escape: func(ctx context.Context) (ways []string) {
		tx, err := entTx(ctx).Tx(ctx)
		if err != nil {
			return []string{err.Error()}
		}
		ways = notRefused(ways, "Rollback", tx.Rollback())
		if err := tx.Commit(); err != nil { // ent ends each UpdateOne with it: it must be harmless
			ways = append(ways, err.Error())
		}
		return canEnd(ways, pgstore.SQL(ctx))
	},
}

// Why entTx is not ent's own driver. If this fails, the page's adapter can go.
func TestEntsOwnDriverPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it does not panic any more")
		}
	}()
	_, _ = entsql.NewDriver(dialect.Postgres, entsql.Conn{ExecQuerier: pgstore.SQL(t.Context())}).Tx(t.Context())
}
