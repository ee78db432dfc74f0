package pgstore

import (
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgtype/zeronull"
)

// unpack reads a column that is a row of the records table, whose columns stand in the order of [recordColumns]; a newer schema may have more behind them.
// NULL leaves the row as it is.
func unpack(r pgx.Rows, column int, to *row) error {
	raw, types, n := r.RawValues()[column], r.TypeMap(), 0
	if raw == nil {
		return nil
	}
	targets := to.targets()
	scan := func(oid uint32, format int16, field []byte) error {
		if n == len(targets) {
			return nil
		}
		n++
		return types.Scan(oid, format, field, targets[n-1])
	}
	var err error
	if r.FieldDescriptions()[column].Format == pgx.BinaryFormatCode {
		fields := pgtype.NewCompositeBinaryScanner(types, raw)
		for err == nil && fields.Next() {
			err = scan(fields.OID(), pgx.BinaryFormatCode, fields.Bytes())
		}
		err = firstOf(err, fields.Err())
	} else {
		fields := pgtype.NewCompositeTextScanner(types, raw)
		for err == nil && fields.Next() {
			if n < len(targets) {
				err = scan(oidOf(targets[n]), pgx.TextFormatCode, fields.Bytes())
			}
		}
		err = firstOf(err, fields.Err())
	}
	if err == nil && n != len(targets) {
		err = fmt.Errorf("pgstore: the record has %d columns, want %d", n, len(targets))
	}
	return err
}

// oidOf is the type of what a target is for; a row in text does not say.
func oidOf(target any) uint32 {
	switch target.(type) {
	case *zeronull.Int8:
		return pgtype.Int8OID
	case *zeronull.Int4:
		return pgtype.Int4OID
	case *zeronull.Int2:
		return pgtype.Int2OID
	case *bool:
		return pgtype.BoolOID
	}
	return pgtype.ByteaOID
}

func firstOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
