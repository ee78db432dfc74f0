package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

var (
	errUnconfirmed = errors.New("not confirmed: nothing was changed")
	errNobody      = fmt.Errorf("%w; there is no terminal to ask on: look at what is above, and say --yes", errUnconfirmed)
)

// confirm asks a person on a terminal for a yes. Where nobody can be asked it is an error that says so.
func confirm(cmd *cobra.Command, question string) error {
	in := cmd.InOrStdin()
	if !isTerminal(in) {
		return errNobody
	}
	return ask(cmd, in, question)
}

func ask(cmd *cobra.Command, in io.Reader, question string) error {
	fmt.Fprint(cmd.ErrOrStderr(), question, " Type yes: ")
	answer := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n')
		switch {
		case strings.TrimSpace(line) == "yes":
			answer <- nil
		case err != nil: // the null device passes for a terminal
			answer <- errNobody
		default:
			answer <- errUnconfirmed
		}
	}()
	select {
	case err := <-answer:
		return err
	case <-cmd.Context().Done(): // a signal does not wake the reader
		return fmt.Errorf("%w: %w", errUnconfirmed, cmd.Context().Err())
	}
}

// isTerminal says that somebody may be there to read and type.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
