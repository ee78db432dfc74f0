package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/store/pebblestore"
)

// newInspect tells what is in the directory of an embedded store.
func newInspect() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect DIR | redis",
		Short: "Tell what is in the directory of an embedded store, or in Redis",
		Long: `Tell what is in the directory of an embedded store: records by state, watermarks, size, the oldest unknown operation. No process may
have the directory open. A directory with the name redis is ./redis.`,
		Args: oneDirectory,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := pebblestore.Inspect(args[0])
			if err != nil {
				return err
			}
			describe(cmd.OutOrStdout(), args[0], r)
			return nil
		},
	}
	cmd.AddCommand(newInspectRedis())
	return cmd
}

// newVerify reads everything that is in the directory of an embedded store.
func newVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "Read every record and checksum of an embedded store, and hold them against each other",
		Long: `Read every record and checksum in the directory of an embedded store, and hold records, indexes and counts against each other. No process may
have the directory open. The exit status is 1 if anything does not fit.`,
		Args: oneDirectory,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := pebblestore.Verify(args[0])
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			describe(out, args[0], r)
			for _, fault := range r.Faults {
				fmt.Fprintf(out, "FAULT: %s\n", fault)
			}
			if len(r.Faults) > 0 {
				return errors.New("the directory is damaged: restore it from a backup, and seal every service until now; docs/operations.md has the procedure")
			}
			fmt.Fprintf(out, "sound: %d records were read\n", r.Records)
			return nil
		},
	}
}

func oneDirectory(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d arguments: give one, the directory of the store", len(args))
	}
	return nil
}

func describe(out io.Writer, dir string, r pebblestore.Report) {
	fmt.Fprintf(out, "directory %s, format %d, a bucket is %v, %d bytes\n", dir, r.Format, r.Bucket, r.Files)
	for _, s := range r.Services {
		fmt.Fprintf(out, "service %q: %d claimed, %d started, %d unknown, %d done, %d bytes, %d buckets, %d in the attic, watermark %s\n",
			s.Name, s.Stats.Claimed, s.Stats.Started, s.Stats.Unknown, s.Stats.Done, s.Stats.Bytes, s.Buckets, s.Attic, shown(s.Stats.Watermark))
	}
	fmt.Fprintf(out, "oldest unknown: %s\nmarks: %d\ntrail: %d entries\n", shown(r.OldestUnknown), r.Marks, r.Entries)
}

// newSealDirectory raises a service's watermark in the directory of an embedded store.
func newSealDirectory() *cobra.Command {
	var s seal
	cmd := &cobra.Command{
		Use:   "directory DIR --service NAME --until now|TIME",
		Short: "The directory of an embedded store",
		Long: `A restored directory does not know what was executed after its backup, and would execute it again. Before a process serves from it, seal each of
its services until now: stamped keys that were minted up to then are refused from then on (410 key-expired), unless their record is there.

The time is that of this machine's clock. Nothing takes a seal back. Keys without a stamp cannot be sealed. docs/operations.md in the repository has
the whole procedure.`,
		Example: `  onceward store seal directory /var/lib/payouts --service payouts --until now`,
		Args:    oneDirectory,
		RunE:    func(cmd *cobra.Command, args []string) error { return s.runDirectory(cmd, args[0]) },
	}
	s.addFlags(cmd)
	return cmd
}

func (s *seal) runDirectory(cmd *cobra.Command, dir string) (err error) {
	asked, err := s.asked()
	if err != nil {
		return err
	}
	if _, err := pebblestore.Inspect(dir); err != nil { // Open would make a new store where there is none
		return err
	}
	table, err := pebblestore.Open(dir, pebblestore.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	return s.raise(cmd, table, asked, "directory "+dir)
}
