package pgstore

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/onceward/onceward"
)

// No setting of a session makes a record unreadable by database/sql, nor what a purge removes.
func TestSQLTransactForeignSettings(t *testing.T) {
	db := ownDatabase(t)
	for _, set := range []string{"bytea_output = 'escape'", "standard_conforming_strings = off", "client_encoding = 'LATIN1'"} {
		exec(t, db.owner, "ALTER DATABASE "+database(db.owner)+" SET "+set)
	}
	b := newBank(t, db)
	s := db.again(t, b.schema)
	body := make([]byte, 1000)
	for i := range body {
		body[i] = byte(i)
	}
	for name, pool := range openSQL(t, open(t, db.pool.Config().ConnString())) {
		x := b.sqlTransactor(t, pool, TransactConfig{MaintainEvery: onceward.NoMaintenance})
		key := keyOf(t, name[:3])
		for _, replayed := range []bool{false, true} {
			result, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, q Querier) onceward.Outcome {
				return b.sqlPay(key, onceward.Save(onceward.Reply{Body: body}))(ctx, q)
			})
			if err != nil || result.Replayed != replayed || !bytes.Equal(result.Reply.Body, body) {
				t.Errorf("%s, replayed %v: %v, %v", name, replayed, result, err)
			}
		}
		move(t, s, 2*onceward.DefaultWindow)
		if err := x.Maintain(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := b.records(t, fmt.Sprintf("key = '%s'", key.Text())); n != 0 {
			t.Errorf("%s: %d records are left", name, n)
		}
	}
	b.balance(t, "pgx", "ano")
}

// Nor is a pool taken whose mode could not read it.
func TestByteaOutputIsRefusedWhereItCannotBeRead(t *testing.T) {
	db := ownDatabase(t)
	exec(t, db.owner, "ALTER DATABASE "+database(db.owner)+" SET bytea_output = 'escape'")
	b := newBank(t, db)
	for mode, refused := range map[string]bool{"exec": true, "simple_protocol": true, "cache_describe": false, "cache_statement": false} {
		pool := open(t, db.pool.Config().ConnString()+"&default_query_exec_mode="+mode)
		_, err := New(t.Context(), pool, Config{Schema: b.schema})
		if refused != (err != nil) || refused && !strings.Contains(err.Error(), "SET bytea_output = hex") {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
