package pgstore

import (
	"errors"
	"regexp"

	"github.com/jackc/pgx/v5/pgconn"
)

// violation is what an error of the server is about. It is known of pgx's errors and of those with a method Get for the fields of the protocol, like lib/pq's.
type violation struct{ schema, table, constraint string }

func violationOf(err error) (v violation) {
	var server *pgconn.PgError
	var other interface{ Get(field byte) string }
	switch {
	case errors.As(err, &server):
		return violation{server.SchemaName, server.TableName, server.ConstraintName}
	case errors.As(err, &other):
		return violation{other.Get('s'), other.Get('t'), other.Get('n')}
	}
	return violation{}
}

// ofRecords says that it is about the table of records, or a partition of it.
func (v violation) ofRecords(schema string) bool {
	return (schema == "" || v.schema == schema) && (v.table == "records" || partitionName.MatchString(v.table))
}

var partitionName = regexp.MustCompile(`^records_(plain|[0-9]+_[0-9]+)$`)

// isTaken says that the index of the table has refused a second row of an operation. It is the table's only unique one, in each partition.
func isTaken(err error, schema string) bool {
	return isCode(err, uniqueViolation) && violationOf(err).ofRecords(schema)
}

// isOutside says that no partition takes a new row: its stamp is above the newest, or it has no bucket, because the layout has changed.
func isOutside(err error, schema string) bool {
	if !isCode(err, checkViolation) {
		return false
	}
	v := violationOf(err)
	return v.ofRecords(schema) && v.constraint == ""
}

const checkViolation = "23514"
