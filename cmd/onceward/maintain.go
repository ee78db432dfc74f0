package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/pgstore"
)

func newMaintain() *cobra.Command {
	return newGroup("maintain", "Remove what is over from a store, and make and drop its partitions", newMaintainPostgres())
}

// maintenance is what a command line asks for.
type maintenance struct {
	database

	every time.Duration
}

// newMaintainPostgres is a round of maintenance in PostgreSQL, or many.
func newMaintainPostgres() *cobra.Command {
	var m maintenance
	cmd := &cobra.Command{
		Use:   "postgres",
		Short: "The tables in PostgreSQL",
		Long: `Removes records whose time is over, as every process that serves does by itself. On a table that was laid out in partitions it also makes the
partitions that will be needed, and drops those that are over: connect as the owner of the tables, directly and not through a pooler.

Without --every it makes one round and ends, for cron; an error is the exit code. With --every it goes on until it is stopped, and errors are
lines on stderr. Several at once are safe. Nothing is removed if this machine's clock and the server's are apart.`,
		Example: `  DATABASE_URL=postgres://owner@db.example/app onceward maintain postgres
  DATABASE_URL=postgres://owner@db.example/app onceward maintain postgres --every 1m`,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.run(cmd) },
	}
	m.addTo(cmd)
	cmd.Flags().DurationVar(&m.every, "every", 0, "go on, with a round after each of this `time`")
	return cmd
}

func (m *maintenance) run(cmd *cobra.Command) error {
	if m.every < 0 || cmd.Flags().Changed("every") && m.every == 0 {
		return fmt.Errorf("--every is %v: use a time like 1m", m.every)
	}
	pool, err := m.open(cmd)
	if err != nil {
		return err
	}
	defer pool.Close()
	out, notes := cmd.OutOrStdout(), cmd.ErrOrStderr()
	maintainer, err := pgstore.NewMaintainer(cmd.Context(), pool, pgstore.MaintainConfig{
		Schema: m.schema, Every: m.every,
		Observer: onceward.Observer{
			Upkeep: func(_ context.Context, e onceward.UpkeepEvent) {
				fmt.Fprintf(out, "%s: removed %d records; left are %d done, %d open, %d unknown, %d bytes\n",
					m.place(pool), e.Removed, e.Stats.Done, e.Stats.Claimed+e.Stats.Started, e.Stats.Unknown, e.Stats.Bytes)
			},
			Alarm: func(_ context.Context, e onceward.AlarmEvent) { fmt.Fprintf(notes, "ALARM %s: %v\n", e.Alarm, e.Err) },
		},
		Partition: func(_ context.Context, e pgstore.PartitionEvent) {
			if e.Dropped {
				fmt.Fprintf(out, "dropped partition %s, keys minted before %s; %d live records were moved\n", e.Table, e.To.Format(time.RFC3339), e.Moved)
				return
			}
			fmt.Fprintf(out, "made partition %s, keys minted before %s\n", e.Table, e.To.Format(time.RFC3339))
		},
	})
	if err != nil {
		return err
	}
	if m.every == 0 {
		return maintainer.Maintain(cmd.Context())
	}
	maintainer.Run(cmd.Context())
	return nil
}
