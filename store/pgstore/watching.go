package pgstore

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// What a function reads is watched for the error that aborts its transaction: 40001 must lead to another attempt also if the function keeps it
// to itself. And it goes through the gate: who still reads when the function has ended would read what the next one on the connection is told.

// rows are pgx's, or an error without rows.
type rows struct {
	pgx.Rows
	run *txRun
	err error
}

// use is [gate.use]. After the function has ended there are no rows.
func (r *rows) use() bool {
	if r.err == nil {
		r.err = r.run.use()
	}
	return r.err == nil
}

// Close is pgx's.
func (r *rows) Close() {
	if r.use() {
		defer r.run.leave()
		r.Rows.Close()
		_ = r.run.see(r.Rows.Err())
	}
}

// Err is pgx's.
func (r *rows) Err() error {
	if !r.use() {
		return r.err
	}
	defer r.run.leave()
	return r.run.see(r.Rows.Err())
}

// Next is pgx's.
func (r *rows) Next() bool {
	if !r.use() {
		return false
	}
	defer r.run.leave()
	more := r.Rows.Next()
	if !more {
		_ = r.run.see(r.Rows.Err())
	}
	return more
}

// Scan is pgx's.
func (r *rows) Scan(to ...any) error {
	if !r.use() {
		return r.err
	}
	defer r.run.leave()
	return r.Rows.Scan(to...)
}

// Values is pgx's.
func (r *rows) Values() ([]any, error) {
	if !r.use() {
		return nil, r.err
	}
	defer r.run.leave()
	return r.Rows.Values()
}

// RawValues is pgx's.
func (r *rows) RawValues() [][]byte {
	if r.err != nil {
		return nil
	}
	return r.Rows.RawValues()
}

// CommandTag is pgx's.
func (r *rows) CommandTag() pgconn.CommandTag {
	if r.err != nil {
		return pgconn.CommandTag{}
	}
	return r.Rows.CommandTag()
}

// FieldDescriptions is pgx's.
func (r *rows) FieldDescriptions() []pgconn.FieldDescription {
	if r.err != nil {
		return nil
	}
	return r.Rows.FieldDescriptions()
}

// TypeMap is pgx's.
func (r *rows) TypeMap() *pgtype.Map {
	if r.err != nil {
		return nil
	}
	return r.Rows.TypeMap()
}

// Conn returns nil: a connection could commit.
func (r *rows) Conn() *pgx.Conn { return nil }

type oneRow struct {
	inner pgx.Row
	run   *txRun
	err   error
}

// Scan is pgx's.
func (r oneRow) Scan(to ...any) error {
	if r.err != nil {
		return r.err
	}
	if err := r.run.use(); err != nil {
		return err
	}
	defer r.run.leave()
	return r.run.see(r.inner.Scan(to...))
}

type batchResults struct {
	pgx.BatchResults
	run *txRun
}

// Exec is pgx's.
func (b *batchResults) Exec() (pgconn.CommandTag, error) {
	if err := b.run.use(); err != nil {
		return pgconn.CommandTag{}, err
	}
	defer b.run.leave()
	tag, err := b.BatchResults.Exec()
	return tag, b.run.see(err)
}

// Query is pgx's.
func (b *batchResults) Query() (pgx.Rows, error) {
	if err := b.run.use(); err != nil {
		return &rows{err: err}, err
	}
	defer b.run.leave()
	inner, err := b.BatchResults.Query()
	return &rows{Rows: inner, run: b.run}, b.run.see(err)
}

// QueryRow is pgx's.
func (b *batchResults) QueryRow() pgx.Row {
	if err := b.run.use(); err != nil {
		return oneRow{err: err}
	}
	defer b.run.leave()
	return oneRow{inner: b.BatchResults.QueryRow(), run: b.run}
}

// Close is pgx's.
func (b *batchResults) Close() error {
	if err := b.run.use(); err != nil {
		return err
	}
	defer b.run.leave()
	return b.run.see(b.BatchResults.Close())
}
