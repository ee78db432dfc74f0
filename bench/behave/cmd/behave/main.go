// Command behave tests servers with idempotency keys over real sockets; bench/behave/README.md says what it asks of them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "behave:", err)
		os.Exit(1)
	}
}
