package pgstore

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// Why a database cannot serve. Errors of [New], and of a store whose database was changed under it, wrap them.
var (
	ErrSchema   = errors.New("pgstore: the schema does not fit this build")
	ErrGrants   = errors.New("pgstore: the role lacks privileges")
	ErrReadOnly = errors.New("pgstore: the session cannot write")

	// ErrPartition says that no partition of the table takes a record, or soon none will. Nothing was executed.
	ErrPartition = errors.New("pgstore: there is no partition")
)

// AlarmPartition is raised by transactors with [ErrPartition]; a guard's calls fail with [store.ErrFull].
const AlarmPartition onceward.Alarm = "no partition"

// hints says, of each SQLSTATE that a person can do something about, what is wrong and what to do.
var hints = map[string]struct {
	is   error
	hint string
}{
	"42P01": {ErrSchema, `a table is missing: run "onceward migrate postgres --apply", or pgstore.Migrate`},
	"42703": {ErrSchema, `a column is missing: run "onceward migrate postgres --apply", or pgstore.Migrate`},
	"42883": {ErrSchema, `a function is missing: run "onceward migrate postgres --apply", or pgstore.Migrate`},
	"3F000": {ErrSchema, `the schema is missing: run "onceward migrate postgres --apply", or pgstore.Migrate`},
	"42501": {ErrGrants, "pgstore.Grants has the statements"},
	"25006": {ErrReadOnly, "connect to the primary, with target_session_attrs=read-write"},
	"53100": {store.ErrFull, "the disk of the database is full"}, // the statement failed, and its transaction with it
}

// failed wraps an error once. Unless it is one of the above, it is open whether the call was carried out.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	if isOutside(err, "") {
		return fmt.Errorf("pgstore: %s: %w: %w: %w (the stamp is newer than the newest partition: does a maintainer run? see onceward maintain postgres. "+
			"Or the layout of the table has changed since this process began: start it anew)", op, ErrPartition, store.ErrFull, err)
	}
	var server serverError
	if errors.As(err, &server) {
		if h, ok := hints[server.SQLState()]; ok {
			return fmt.Errorf("pgstore: %s: %w: %w (%s)", op, h.is, err, h.hint)
		}
	}
	return fmt.Errorf("pgstore: %s: %w", op, err)
}

// failedMigration is failed, for what creates tables: it needs other privileges than what uses them, and a server that writes.
func failedMigration(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		switch server.Code {
		case "42501":
			return fmt.Errorf("pgstore: migrate: %w: %w (connect as the owner of the tables; in an empty database, as a role with CREATE on it)", ErrGrants, err)
		case "0A000": // BEGIN READ WRITE during recovery
			return fmt.Errorf("pgstore: migrate: %w: %w (this server is a standby: %s)", ErrReadOnly, err, hints["25006"].hint)
		}
	}
	return failed("migrate", err)
}
