package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/pgstore"
)

func newMigrate() *cobra.Command {
	return newGroup("migrate", "Make the tables of a store, or bring them up to date", newMigratePostgres())
}

// migration is what a command line asks for.
type migration struct {
	database

	print, apply bool
	role         string // for --grants
	partitions   pgstore.PartitionConfig
}

// newMigratePostgres runs the migrations, or shows what somebody else shall run.
func newMigratePostgres() *cobra.Command {
	var m migration
	cmd := &cobra.Command{
		Use:   "postgres --print | --apply | --grants ROLE",
		Short: "The tables in PostgreSQL",
		Long: `Brings the tables of package pgstore up to what this build needs. Run it as often as you like, and from several places at once.

--apply runs what is missing, in one transaction, as a role that may create the schema, or owns it. --print writes the SQL of what is missing, for
a migration tool of your own; run it in one transaction. Without a database it writes all of it. --grants writes the statements that let
a role serve, and no more; the owner of the tables runs them.

--apply --partitions WIDTH lays the table of records out in partitions by the time at which keys were minted: what is over is dropped and not removed
row by row. It reads the table twice and locks it meanwhile; processes that serve have to be started anew; and from then on "onceward maintain
postgres" has to run. A quarter of the window is a good width. Run it again to change the width of new partitions, or how long they are kept: what is left out stays.`,
		Example: `  DATABASE_URL=postgres://owner@db.example/app onceward migrate postgres --apply
  onceward migrate postgres --print --dsn '' > migrations/0042_onceward.sql
  onceward migrate postgres --grants payouts | psql -1 "$DATABASE_URL"
  onceward migrate postgres --apply --partitions 6h`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			grants := cmd.Flags().Changed("grants")
			chosen := 0
			for _, on := range []bool{m.print, m.apply, grants} {
				if on {
					chosen++
				}
			}
			partitioned := false
			for _, flag := range []string{"partitions", "window", "skew"} {
				partitioned = partitioned || cmd.Flags().Changed(flag)
			}
			switch {
			case partitioned && (!m.apply || !cmd.Flags().Changed("partitions")):
				return errors.New("--partitions goes with --apply, and --window and --skew with --partitions")
			case chosen != 1:
				return errors.New("use one of --print, --apply and --grants ROLE")
			case grants:
				return m.writeGrants(cmd.OutOrStdout())
			case m.apply:
				return m.run(cmd)
			}
			return m.write(cmd)
		},
	}
	m.addTo(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&m.print, "print", false, "write the SQL of the missing migrations; of all of them without a database")
	flags.BoolVar(&m.apply, "apply", false, "run the missing migrations")
	flags.DurationVar(&m.partitions.Width, "partitions", 0, "with --apply, lay the table out in partitions of this `width`, like 6h")
	flags.DurationVar(&m.partitions.Window, "window", 0, fmt.Sprintf("with --partitions, the longest window of all services on the table (default as it is, at first %v)", onceward.DefaultWindow))
	flags.DurationVar(&m.partitions.Skew, "skew", 0, fmt.Sprintf("with --partitions, the longest skew of all services on the table (default as it is, at first %v)", onceward.DefaultSkew))
	flags.StringVar(&m.role, "grants", "", "write the least privileges that `ROLE` needs to serve")
	return cmd
}

func (m *migration) writeGrants(w io.Writer) error {
	if m.role == "" {
		return errors.New("--grants is empty: use the name of the role that serves")
	}
	sql, err := pgstore.Grants(m.schema, m.role)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, sql)
	return err
}

func (m *migration) run(cmd *cobra.Command) error {
	all, err := pgstore.Migrations(m.schema)
	if err != nil {
		return err
	}
	pool, err := m.open(cmd)
	if err != nil {
		return err
	}
	defer pool.Close()
	found, err := pgstore.Migrate(cmd.Context(), pool, m.schema)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: %s\n", m.place(pool), versionFound(found))
	for _, step := range all {
		if step.Version > found {
			fmt.Fprintf(out, "applied %s, now at version %d\n", step.Name, step.Version)
		}
	}
	if !cmd.Flags().Changed("partitions") {
		return nil
	}
	return m.partition(cmd, pool)
}

func (m *migration) partition(cmd *cobra.Command, pool *pgxpool.Pool) error {
	for _, flag := range []string{"window", "skew"} {
		if d, _ := cmd.Flags().GetDuration(flag); cmd.Flags().Changed(flag) && d <= 0 {
			return fmt.Errorf("--%s is %v: use a time like 24h, or leave it out", flag, d)
		}
	}
	was, _, err := pgstore.Partitioning(cmd.Context(), pool, m.schema)
	if err != nil && !errors.Is(err, pgstore.ErrSchema) { // which Partition says, or mends
		return err
	}
	m.partitions.Schema = m.schema
	changed, err := pgstore.Partition(cmd.Context(), pool, m.partitions)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if changed {
		fmt.Fprintln(out, "laid the table out in partitions: start every process anew, and run onceward maintain postgres from now on")
	}
	is, _, err := pgstore.Partitioning(cmd.Context(), pool, m.schema)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "new partitions are %v wide, and kept for a window of %v and %v\n", is.Width, is.Window, is.Skew)
	if is.Window+is.Skew < was.Window+was.Skew {
		fmt.Fprintf(cmd.ErrOrStderr(), "they were kept for %v and %v: services that remember keys for longer than now refuse to begin, and those that run refuse keys within their window, and alarm\n",
			was.Window, was.Skew)
	}
	return nil
}

// write puts SQL on stdout and what was found on stderr, so that the one can go into a file.
func (m *migration) write(cmd *cobra.Command) error {
	missing, err := pgstore.Migrations(m.schema)
	if err != nil {
		return err
	}
	if dsn, _ := m.given(cmd); dsn != "" {
		pool, err := m.open(cmd)
		if err != nil {
			return err
		}
		defer pool.Close()
		var found int
		if found, missing, err = pgstore.Pending(cmd.Context(), pool, m.schema); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", m.place(pool), versionFound(found))
	}
	for _, step := range missing {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "-- %s: to version %d of schema %s\n%s\n", step.Name, step.Version, m.schema, step.SQL); err != nil {
			return err
		}
	}
	return nil
}

func versionFound(found int) string {
	switch {
	case found == 0:
		return "found no tables"
	case found == pgstore.SchemaVersion:
		return fmt.Sprintf("found version %d, which is what this build needs: nothing to do", found)
	case found > pgstore.SchemaVersion:
		return fmt.Sprintf("found version %d, newer than this build's %d and compatible with it: nothing to do", found, pgstore.SchemaVersion)
	}
	return fmt.Sprintf("found version %d, this build needs %d", found, pgstore.SchemaVersion)
}
