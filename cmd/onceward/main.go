// Command onceward demonstrates and operates a deduplication table.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "onceward:", strings.TrimPrefix(err.Error(), "onceward: ")) // our packages' errors begin so themselves
		os.Exit(exitStatus(err))
	}
}
