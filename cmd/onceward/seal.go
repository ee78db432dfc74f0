package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore"
)

func newStore() *cobra.Command {
	return newGroup("store", "Operate a store",
		newInspect(),
		newVerify(),
		newGroup("seal", "Make keys inadmissible for ever, after a backup was restored", newSealPostgres(), newSealRedis(), newSealDirectory()),
	)
}

// seal is what a command line asks for.
type seal struct {
	database

	service, until string
	yes            bool
}

// newSealPostgres raises a service's watermark in PostgreSQL.
func newSealPostgres() *cobra.Command {
	var s seal
	cmd := &cobra.Command{
		Use:   "postgres --service NAME --until now|TIME",
		Short: "The tables in PostgreSQL",
		Long: `A restored store does not know what was executed after its backup, and would execute it again. Before it serves, seal each of
its services until now: stamped keys that were minted up to then are refused from then on (410 key-expired), unless their record is there.

The time is that of the server's clock. Nothing takes a seal back. Keys without a stamp cannot be sealed. docs/operations.md in the
repository has the whole procedure.`,
		Example: `  DATABASE_URL=postgres://owner@db.example/app onceward store seal postgres --service orders --until now`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.run(cmd)
		},
	}
	s.addTo(cmd)
	s.addFlags(cmd)
	return cmd
}

func (s *seal) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&s.service, "service", "", "`name` of the guarded service, as in its scope (required)")
	flags.StringVar(&s.until, "until", "", "`time` until when to seal: now, or like 2026-11-25T10:00:00Z (required)")
	flags.BoolVar(&s.yes, "yes", false, "do not ask")
}

func (s *seal) run(cmd *cobra.Command) error {
	asked, err := s.asked()
	if err != nil {
		return err
	}
	pool, err := s.open(cmd)
	if err != nil {
		return err
	}
	defer pool.Close()
	table, err := pgstore.New(cmd.Context(), pool, pgstore.Config{Schema: s.schema})
	if err != nil {
		return err
	}
	defer table.Close()
	return s.raise(cmd, table, asked, s.place(pool))
}

// raise shows what will be done, asks, and does it.
func (s *seal) raise(cmd *cobra.Command, table store.Store, asked store.Time, place string) error {
	before, err := table.Stats(cmd.Context(), s.service)
	if err != nil {
		return err
	}
	until, err := upTo(asked, before.Now)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "service %q, %s\nserver's clock:   %s%s\nwatermark before: %s\n", s.service, place, shown(before.Now), clockGap(before.Now, time.Now()), shown(before.Watermark))
	if before.Watermark >= until {
		fmt.Fprintln(out, "it is sealed until then already: nothing to do")
		return nil
	}
	if before.Watermark == 0 && before.Claimed+before.Started+before.Unknown+before.Done == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "WARNING: there is neither a record nor a watermark of a service %q: is its name right?\n", s.service)
	}
	if !s.yes {
		question := fmt.Sprintf("Seal %q until %s? Stamped keys minted up to then are refused for ever, unless their record is there. Nothing takes it back.", s.service, shown(until))
		if err := confirm(cmd, question); err != nil {
			return err
		}
	}
	after, err := table.Seal(cmd.Context(), s.service, until)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "watermark after:  %s\n", shown(after))
	return nil
}

// asked reads --service and --until; zero means now.
func (s *seal) asked() (until store.Time, err error) {
	var faults []string
	if s.service == "" {
		faults = append(faults, "--service is missing: use the name in the scope of the guarded service")
	}
	if s.until != "now" {
		t, err := time.Parse(time.RFC3339, s.until)
		if until = store.TimeOf(t); err != nil || until <= 0 {
			faults = append(faults, fmt.Sprintf("--until is %q: use now, or a time like 2026-11-25T10:00:00Z", s.until))
		}
	}
	if len(faults) > 0 {
		return 0, errors.New(strings.Join(faults, "; "))
	}
	return until, nil
}

// upTo turns what was asked for into a time that the store has seen go by: beyond it, keys that are yet to be minted would be refused.
func upTo(asked, now store.Time) (store.Time, error) {
	switch {
	case asked == 0:
		return now, nil
	case asked > now:
		return 0, fmt.Errorf("--until is %s, in the future: the server's clock says %s; use now", shown(asked), shown(now))
	}
	return asked, nil
}

func shown(t store.Time) string {
	if t == 0 {
		return "none"
	}
	return time.UnixMilli(int64(t)).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// noticeable is how far clocks are apart before somebody should know: a seal until now on a clock that is behind seals too little.
const noticeable = 5 * time.Second

func clockGap(server store.Time, here time.Time) string {
	gap := server.Sub(store.TimeOf(here))
	switch {
	case gap > noticeable:
		return fmt.Sprintf(" (%s ahead of this machine's)", gap)
	case gap < -noticeable:
		return fmt.Sprintf(" (%s BEHIND this machine's: is it right?)", -gap)
	}
	return ""
}
