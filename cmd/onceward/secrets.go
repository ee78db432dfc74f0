package main

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A connection string in the wrong place of a command line must not come back in an error message, and so into a log: the standard
// messages repeat arguments and values. Those of commands that take a --dsn name flags only.

// noArguments is cobra.NoArgs, without repeating the argument.
func noArguments(cmd *cobra.Command, args []string) error { return noArgumentsBut("--dsn")(cmd, args) }

func noArgumentsBut(flag string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return errors.New("an argument too many: the URL of a database goes behind " + flag + "; see " + cmd.CommandPath() + " --help")
		}
		return nil
	}
}

// withoutValues is the error of a flag, without repeating a value.
func withoutValues(err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var refused *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		return errors.New("unknown flag: --" + unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		return errors.New("unknown flag -" + unknown.GetSpecifiedName() + ": the names of flags are longer, behind two dashes")
	case errors.As(err, &missing):
		return errors.New("--" + missing.GetFlag().Name + " needs a value")
	case errors.As(err, &refused):
		return errors.New("--" + refused.GetFlag().Name + " takes no such value")
	}
	return errors.New("a flag is not understood: write --name value")
}
