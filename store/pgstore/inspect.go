package pgstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
)

// inspect says what the database can promise, or why it cannot serve.
func inspect(ctx context.Context, pool *pgxpool.Pool, schema string) (store.Traits, layout, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return store.Traits{}, layout{}, failed("open", err)
	}
	defer conn.Release()
	traits, l, err := examine(ctx, conn, schema)
	if err == nil {
		err = failed("open", checkBytes(ctx, conn, pool.Config().ConnConfig.DefaultQueryExecMode))
	}
	return traits, l.prepares(pool), err
}

// checkBytes refuses a session in which what was written could not be read: in these modes bytes come as text, of which pgx knows one kind.
func checkBytes(ctx context.Context, conn querier, mode pgx.QueryExecMode) error {
	if mode != pgx.QueryExecModeExec && mode != pgx.QueryExecModeSimpleProtocol {
		return nil
	}
	var output string
	err := conn.QueryRow(ctx, "SELECT current_setting('bytea_output')").Scan(&output)
	if err == nil && output != "hex" {
		err = fmt.Errorf("bytea_output is %s for this role or database, and pgx does not read that in the query mode %q: ALTER ROLE … SET bytea_output = hex, or take another mode", output, mode)
	}
	return err
}

func examine(ctx context.Context, conn querier, schema string) (store.Traits, layout, error) {
	fail := func(err error) (store.Traits, layout, error) { return store.Traits{}, layout{}, failed("open", err) }
	var standby bool
	var readOnly, fsync, pages, sync, standbys, user string
	if err := conn.QueryRow(ctx, `SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), current_setting('fsync'),
		current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), current_user::text`).
		Scan(&standby, &readOnly, &fsync, &pages, &sync, &standbys, &user); err != nil {
		return fail(err)
	}
	switch {
	case standby:
		return fail(fmt.Errorf("%w: this server is a standby: connect to the primary, with target_session_attrs=read-write", ErrReadOnly))
	case readOnly == "on":
		return fail(fmt.Errorf("%w: default_transaction_read_only is on for this role or database: ALTER ROLE %s SET default_transaction_read_only = off",
			ErrReadOnly, user))
	}
	if err := checkUsage(ctx, conn, schema, user); err != nil {
		return fail(err)
	}
	version, err := readVersion(ctx, conn, schema)
	if err == nil {
		err = version.fault(schema)
	}
	if err == nil {
		err = checkGrants(ctx, conn, schema, user)
	}
	var l layout
	if err == nil {
		l, err = findLayout(ctx, conn, schema)
	}
	if err != nil {
		return fail(err)
	}
	return traits(fsync, pages, sync, standbys), l, nil
}

// checkUsage comes first: without it the role cannot even see whether there are tables.
func checkUsage(ctx context.Context, db querier, schema, user string) error {
	var may bool
	err := db.QueryRow(ctx, `SELECT coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = $1::text), true)`,
		schema).Scan(&may)
	if err == nil && !may {
		err = lacking([]string{fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", schema, user)})
	}
	return err
}

func checkGrants(ctx context.Context, db querier, schema, user string) error {
	var missing []string
	check := func(question, object, privilege, kind string) error {
		var may bool
		if err := db.QueryRow(ctx, question, object, privilege).Scan(&may); err != nil {
			return err
		}
		if !may {
			missing = append(missing, fmt.Sprintf("GRANT %s ON %s%s TO %s", privilege, kind, object, user))
		}
		return nil
	}
	for _, n := range needs {
		for _, privilege := range strings.Split(n.privileges, ", ") {
			if err := check("SELECT has_table_privilege($1::text, $2::text)", schema+"."+n.table, privilege, ""); err != nil {
				return err
			}
		}
	}
	for _, call := range calls {
		if err := check("SELECT has_function_privilege($1::text, $2::text)", schema+"."+call, "EXECUTE", "FUNCTION "); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return lacking(missing)
	}
	return nil
}

func lacking(grants []string) error {
	return fmt.Errorf("%w: run, as the owner of the tables: %s", ErrGrants, strings.Join(grants, "; "))
}

func traits(fsync, pages, sync, standbys string) store.Traits {
	t := store.Traits{Name: "postgres", Survives: store.SurvivesPowerLoss, Shared: true, ListsDone: true}
	t.LossyFailover = standbys == "" || sync == "off" || sync == "local" // a standby that nobody waits for lags behind
	if !t.LossyFailover {
		t.Caveats = append(t.Caveats, "PostgreSQL gives up waiting for a standby when the waiting connection is cut, or closed because it took too long: "+
			"what was to be committed then stands on this server alone, is answered from there, and a failover before a standby has it forgets it.")
	}
	weaken := func(sentence string) {
		t.Survives = store.SurvivesCrash
		t.Caveats = append(t.Caveats, sentence)
	}
	if sync == "off" {
		weaken("synchronous_commit is off: a crash of PostgreSQL forgets what it has acknowledged in the last second, and that may run again.")
	}
	if fsync == "off" {
		weaken("fsync is off: a crash of the machine may forget, or destroy, the whole table.")
	}
	if pages == "off" {
		weaken("full_page_writes is off: a crash of the machine may destroy pages of the table, unless its file system cannot tear them.")
	}
	return t
}
