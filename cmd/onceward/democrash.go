package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/cmd/onceward/internal/demo"
)

// crashing is what the demo's flags say about killed processes.
type crashing struct {
	through string
	crash   bool
}

func (c *crashing) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.through, "through", "", "what stands in front of the bank, as a process of its own: `proxy`; goes with --crash")
	cmd.Flags().BoolVar(&c.crash, "crash", false, "kill the proxy, the bank and both in the middle of transfers, instead of losing replies")
}

// wanted says whether processes are to be killed.
func (c *crashing) wanted(cmd *cobra.Command) (bool, error) {
	switch {
	case c.through != "" && c.through != "proxy":
		return false, fmt.Errorf("--through is %q: use proxy", c.through)
	case c.crash != (c.through != ""):
		return false, errors.New("use --through proxy and --crash together")
	case c.crash && cmd.Flags().Changed("loss"):
		return false, errors.New("--loss does not go with --crash: no reply is lost there but by a kill")
	}
	return c.crash, nil
}

// run kills the processes, and prints the report.
func (c *crashing) run(cmd *cobra.Command, cfg demo.Config, output string) error {
	crash := demo.Crash{Requests: demo.CrashRequests, Clients: demo.CrashClients, Seed: cfg.Seed, Program: ourselves, Keys: runKeys}
	if cmd.Flags().Changed("requests") {
		crash.Requests = cfg.Requests
	}
	if cmd.Flags().Changed("clients") {
		crash.Clients = cfg.Clients
	}
	return shownAndReported(cmd, output, func(show func(demo.Progress)) (verdict, error) {
		crash.Progress = show
		return demo.RunCrash(cmd.Context(), crash)
	})
}

// ourselves is this program with other arguments. It ends with ctx.
func ourselves(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, args...)
}

// runKeys is `onceward keys` in this process: so no key stands on a command line that others see.
func runKeys(ctx context.Context, args ...string) error {
	root := newRoot()
	root.SetArgs(append([]string{"keys"}, args...))
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	return root.ExecuteContext(ctx)
}

// newDemoBank is the bank of the demo as a process that can be killed. It is no command for people.
func newDemoBank() *cobra.Command {
	return &cobra.Command{
		Use:    "bank ADDRESS LEDGER",
		Short:  "The demo's bank, which carries out every transfer that arrives",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return demo.ServeBank(cmd.Context(), args[0], args[1], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
