package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newRoot builds the command tree. A command is one file with a constructor that is named here and nowhere else.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "onceward",
		Short: "The same request, sent any number of times, takes effect once and gets the same reply",
		// main prints the error; a failed run is not a wrong command line, so it does not repeat the usage.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newDemo(),
		newFaults(),
		newKeys(),
		newMaintain(),
		newMigrate(),
		newProxy(),
		newStore(),
		newVersion(),
	)
	return root
}

// newGroup is a word that needs another behind it.
func newGroup(word, short string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use:   word,
		Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 { // cobra would show the help and report success
				return errors.New("unknown command; see " + cmd.CommandPath() + " --help")
			}
			return cmd.Help()
		},
	}
	group.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return withoutValues(err) })
	group.AddCommand(commands...)
	return group
}
