package main

import (
	"github.com/spf13/cobra"

	"github.com/onceward/onceward/cmd/onceward/internal/adminapi"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
)

// newKeysShow tells the life of one operation.
func newKeysShow() *cobra.Command {
	var d desk
	var who naming
	var reply bool
	cmd := newKeysCommand(&cobra.Command{
		Use:   "show ID",
		Short: "Tell the whole life of one operation, with its audit trail",
		Long: `Tells what is recorded of one operation: its state, its owners, how it ended, and who decided what and why. With its key, which is as good as a
password for its reply. The trail is there also after the record is gone.`,
		Example: `  onceward keys show 5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592
  onceward keys show --service payouts --principal alice --key once_01kb2n2wbgeytb6z0vjt9m1k4q --reply -o json`,
	}, &d, func(cmd *cobra.Command, args []string) error {
		name, err := who.read(args)
		if err != nil {
			return wrong(err)
		}
		shown, err := d.client.Show(cmd.Context(), name, reply)
		if err != nil {
			return err
		}
		if err := d.out.showing(shown); err != nil {
			return err
		}
		return nothingKnown(shown)
	})
	who.addTo(cmd)
	cmd.Flags().BoolVar(&reply, "reply", false, "with the saved reply")
	return cmd
}

// nothingKnown is the error of a name that leads nowhere.
func nothingKnown(shown oncehttp.AdminShowing) error {
	if shown.Record.State == store.Absent.String() && len(shown.Trail) == 0 {
		return &adminapi.Failure{Kind: adminapi.Missing, Detail: "there is no record of this operation, and no decision: it never came, was freed, or is over"}
	}
	return nil
}
