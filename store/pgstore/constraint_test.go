package pgstore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// What an error of the server means does not depend on the driver that reports it, as long as it tells schema, table and constraint.
func TestViolationsOfRecords(t *testing.T) {
	for _, c := range []struct {
		code, schema, table, constraint string
		taken, outside                  bool
	}{
		{uniqueViolation, "once", "records", "records_pkey", true, false},
		{uniqueViolation, "once", "records_plain", "records_plain_pkey", true, false},
		{uniqueViolation, "once", "records_1_2", "records_1_2_pkey", true, false},
		{checkViolation, "once", "records", "", false, true},
		{checkViolation, "once", "records_1_2", "", false, true},
		{checkViolation, "once", "records", "of_a_user", false, false},
		{uniqueViolation, "public", "records", "records_pkey", false, false},
		{checkViolation, "public", "records", "", false, false},
		{uniqueViolation, "once", "marks", "marks_pkey", false, false},
		{uniqueViolation, "once", "my_records_1_2", "x", false, false},
		{serialization, "once", "records", "", false, false},
	} {
		for driver, err := range map[string]error{
			"pgx":    &pgconn.PgError{Code: c.code, SchemaName: c.schema, TableName: c.table, ConstraintName: c.constraint},
			"lib/pq": &strangeError{"text", c.code, c.schema, c.table, c.constraint},
		} {
			err = fmt.Errorf("wrapped: %w", err)
			if taken, outside := isTaken(err, "once"), isOutside(err, "once"); taken != c.taken || outside != c.outside {
				t.Errorf("%s: %+v is taken %v, outside %v", driver, c, taken, outside)
			}
		}
	}
	for _, err := range []error{nil, errors.New("x"), errors.Join(errCut, errStale)} {
		if isTaken(err, "") || isOutside(err, "") {
			t.Errorf("%v is taken, or outside", err)
		}
	}
	var full error = &strangeError{code: diskFull}
	if !errors.Is(failed("claim", full), hints[diskFull].is) {
		t.Errorf("%v", failed("claim", full))
	}
}
