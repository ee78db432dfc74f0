package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Beginner is a *pgxpool.Pool or a *pgx.Conn.
type Beginner interface {
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// Migrate brings the tables in a schema ("": [DefaultSchema]) up to [SchemaVersion], in one transaction. It returns the version that it found, 0 in
// an empty database. Run it again, or several at once: what is done is not done twice. Tables that need a newer build are an [ErrSchema], newer ones
// that do not are left alone. It needs a role that may create the schema, or owns it; that role owns the tables, and [Grants] says what others need.
func Migrate(ctx context.Context, db Beginner, schema string) (found int, err error) {
	all, err := Migrations(schema)
	if err != nil {
		return 0, err
	}
	schema, _ = schemaName(schema) // Migrations has checked it
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
	if err != nil {
		return 0, failedMigration(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(failedMigration(err), ignoreClosed(tx.Rollback(context.WithoutCancel(ctx))))
		}
	}()
	if _, err = tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1::int, 0)", lockMigrate); err != nil {
		return 0, err
	}
	have, err := readVersion(ctx, tx, schema) // a statement of its own: it sees what the lock waited for
	if err != nil {
		return 0, err
	}
	if err = have.tooNew(schema); err != nil {
		return have.version, err
	}
	for _, m := range all {
		if m.Version <= have.version {
			continue
		}
		if _, err = tx.Conn().PgConn().Exec(ctx, m.SQL).ReadAll(); err != nil {
			return have.version, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return have.version, tx.Commit(ctx)
}

// Pending returns the version of the tables in a schema ("": [DefaultSchema]), 0 in an empty database, and the migrations that are missing, for a
// tool of one's own. It only reads, and works on a standby too. Tables that need a newer build are an [ErrSchema].
func Pending(ctx context.Context, db Beginner, schema string) (found int, missing []Migration, err error) {
	all, err := Migrations(schema)
	if err != nil {
		return 0, nil, err
	}
	schema, _ = schemaName(schema) // Migrations has checked it
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadOnly})
	if err != nil {
		return 0, nil, failed("read the version", err)
	}
	have, err := readVersion(ctx, tx, schema)
	err = failed("read the version", errors.Join(err, ignoreClosed(tx.Rollback(context.WithoutCancel(ctx)))))
	if err == nil {
		err = have.tooNew(schema)
	}
	if err != nil {
		return have.version, nil, err
	}
	return have.version, slices.DeleteFunc(all, func(m Migration) bool { return m.Version <= have.version }), nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, pgx.ErrTxClosed) {
		return nil
	}
	return err
}

// applied is the newest row of the table of versions; zero: there is none.
type applied struct{ version, compatible int }

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func readVersion(ctx context.Context, db querier, schema string) (a applied, err error) {
	var exists bool
	if err := db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1::text AND c.relname = 'versions')`, schema).Scan(&exists); err != nil || !exists {
		return applied{}, err
	}
	err = db.QueryRow(ctx, "SELECT version, compatible FROM "+schema+".versions ORDER BY version DESC LIMIT 1").Scan(&a.version, &a.compatible)
	if errors.Is(err, pgx.ErrNoRows) {
		return applied{}, nil
	}
	return a, err
}

// fault says why this build cannot work with the schema.
func (a applied) fault(schema string) error {
	const run = `run "onceward migrate postgres --apply", or pgstore.Migrate, as the owner of the tables`
	switch {
	case a.version == 0:
		return fmt.Errorf("%w: there are no tables in schema %s of this database: %s", ErrSchema, schema, run)
	case a.version < SchemaVersion:
		return fmt.Errorf("%w: schema %s is at version %d, this build needs %d: %s", ErrSchema, schema, a.version, SchemaVersion, run)
	}
	return a.tooNew(schema)
}

// tooNew says that the schema has changed in ways which this build does not know.
func (a applied) tooNew(schema string) error {
	if a.compatible > SchemaVersion {
		return fmt.Errorf("%w: schema %s is at version %d, which needs builds for version %d or later; this one is for %d: deploy a newer build",
			ErrSchema, schema, a.version, a.compatible, SchemaVersion)
	}
	return nil
}
