package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/onceward/onceward/store/pgstore"
)

// databaseVariable is the environment's --dsn. A URL on the command line is seen by everybody on the machine.
const databaseVariable = "DATABASE_URL"

// connectLimit is for how long a server that does not answer is waited for, unless the connection string says otherwise.
const connectLimit = 10 * time.Second

// database is where a command works: the flags --dsn and --schema.
type database struct{ dsn, schema string }

func (d *database) addTo(cmd *cobra.Command) {
	// No default from the environment: the help would show it, with its password.
	cmd.Flags().StringVar(&d.dsn, "dsn", "", "`URL` of the database, like postgres://user@host:5432/name (default $"+databaseVariable+", where others do not see its password)")
	cmd.Flags().StringVar(&d.schema, "schema", pgstore.DefaultSchema, "`name` of the schema that has the tables")
	cmd.Args = noArguments
}

// given returns the connection string and what to call it; an empty --dsn stands for no database, whatever the environment says.
func (d *database) given(cmd *cobra.Command) (dsn, name string) {
	if cmd.Flags().Changed("dsn") {
		return d.dsn, "--dsn"
	}
	return os.Getenv(databaseVariable), databaseVariable
}

// open connects. The caller closes the pool.
func (d *database) open(cmd *cobra.Command) (*pgxpool.Pool, error) {
	dsn, name := d.given(cmd)
	if dsn == "" {
		return nil, fmt.Errorf("no database: use --dsn, or set %s", databaseVariable)
	}
	cfg, err := readDSN(dsn, name)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(cmd.Context(), cfg)
	if err == nil {
		if err = pool.Ping(cmd.Context()); err != nil {
			pool.Close()
		}
	}
	if err != nil {
		return nil, unconnected(cmd.Context(), err)
	}
	return pool, nil
}

// readDSN never repeats what it cannot read: nobody can tell which part of a malformed URL is the password.
func readDSN(dsn, name string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return nil, fmt.Errorf("%s names a file that cannot be read: %w", name, file)
	case err != nil || passwordAstray(dsn) || hostAstray(cfg):
		return nil, fmt.Errorf("%s is not understood, and not repeated here, for it may hold a password: use postgres://user@host:5432/name, "+
			"with / : @ ? # %% in a password written as %%2F %%3A %%40 %%3F %%23 %%25, or give the password in PGPASSWORD or ~/.pgpass", name)
	}
	cfg.MaxConns = 2
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectLimit
	}
	if cfg.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // PgBouncer in transaction mode cannot do the default
	}
	return cfg, nil
}

// passwordAstray says that a URL's password has a slash in it, so that its rest passes for a path, and its beginning for a port.
func passwordAstray(dsn string) bool {
	_, rest, isURL := strings.Cut(dsn, "://")
	authority, behind, slash := strings.Cut(rest, "/")
	return isURL && slash && strings.Contains(authority, ":") && !strings.Contains(authority, "@") && strings.Contains(behind, "@")
}

// hostAstray says that a password has an @ in it, so that its rest passes for a part of the host.
func hostAstray(cfg *pgxpool.Config) bool {
	return strings.Contains(cfg.ConnConfig.Host, "@") ||
		slices.ContainsFunc(cfg.ConnConfig.Fallbacks, func(f *pgconn.FallbackConfig) bool { return strings.Contains(f.Host, "@") })
}

// connecting says what to do about a refused connection, by SQLSTATE.
var connecting = map[string]string{
	"28000": "look at the role, and at the server's pg_hba.conf",
	"28P01": "the password is wrong: set it in the URL, in PGPASSWORD or in ~/.pgpass",
	"3D000": "create the database first, or correct its name",
	"42501": "the role may not connect to this database: GRANT CONNECT ON DATABASE",
	"53300": "the server has no connection left: try again, or end some",
	"57P03": "the server is starting or stopping: try again",
}

func unconnected(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	hint := "is the server up, and the address right?"
	var server *pgconn.PgError
	if errors.As(err, &server) {
		hint = connecting[server.Code]
	}
	if hint != "" {
		hint = " (" + hint + ")"
	}
	return fmt.Errorf("no connection: %w%s", err, hint)
}

// place names the tables that are worked on.
func (d *database) place(pool *pgxpool.Pool) string {
	c := pool.Config().ConnConfig
	return fmt.Sprintf("schema %s of database %s on %s", d.schema, c.Database, net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))))
}
