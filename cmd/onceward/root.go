package main

import "github.com/spf13/cobra"

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
		newVersion(),
	)
	return root
}
