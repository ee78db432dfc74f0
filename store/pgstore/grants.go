package pgstore

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// needs is what a role must be allowed on each table. Nothing may change or remove an entry of the trail, or the record of versions.
var needs = []struct{ table, privileges string }{
	{"versions", "SELECT"},
	{"records", "SELECT, INSERT, UPDATE, DELETE"},
	{"watermarks", "SELECT, INSERT, UPDATE"},
	{"marks", "SELECT, INSERT, UPDATE, DELETE"},
	{"trail", "SELECT, INSERT"},
}

// calls are the functions that it must be allowed to call, as everybody is unless somebody has revoked it.
var calls = []string{"await_lock(bigint, text)"}

// Grants returns the statements that let a role use a [Store] and no more. The owner of the tables, or a superuser, runs them.
func Grants(schema, role string) (string, error) {
	schema, err := schemaName(schema)
	if err != nil {
		return "", err
	}
	to := pgx.Identifier{role}.Sanitize()
	var b strings.Builder
	fmt.Fprintf(&b, "GRANT USAGE ON SCHEMA %s TO %s;\n", schema, to)
	for _, n := range needs {
		fmt.Fprintf(&b, "GRANT %s ON %s.%s TO %s;\n", n.privileges, schema, n.table, to)
	}
	for _, call := range calls {
		fmt.Fprintf(&b, "GRANT EXECUTE ON FUNCTION %s.%s TO %s;\n", schema, call, to)
	}
	return b.String(), nil
}
