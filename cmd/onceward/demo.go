package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/cmd/onceward/internal/demo"
)

// newDemo shows what naive retries do to a ledger when replies get lost, and what onceward does.
func newDemo() *cobra.Command {
	cfg := demo.Config{}
	var output string
	var crash crashing
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Lose replies, with and without onceward, and count what happened",
		Long: `A small bank on loopback sockets, transfers that must happen once, and a network that loses replies. The same transfers
meet the same faults twice: with naive retries, and with onceward. What happened is counted in the bank's own ledger.

With --through proxy --crash, bank and onceward proxy are processes of their own, which SIGKILL hits in the middle of transfers. What nobody can
tell afterwards is listed, looked up in the ledger, and resolved by onceward keys.

The exit status is 1 if onceward's ledger is wrong, and also if the naive run doubled nothing: then the demo shows nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output is %q: use text or json", output)
			}
			if !cmd.Flags().Changed("seed") {
				cfg.Seed = uint64(rand.Uint32()) // short enough to type
			}
			if wanted, err := crash.wanted(cmd); err != nil || wanted {
				if err != nil {
					return err
				}
				return crash.run(cmd, cfg, output)
			}
			return shownAndReported(cmd, output, func(show func(demo.Progress)) (verdict, error) {
				cfg.Progress = show
				return demo.Run(cmd.Context(), cfg)
			})
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&cfg.Loss, "loss", 0.3, "probability that a reply is lost, 0 to 0.9")
	flags.IntVar(&cfg.Requests, "requests", 3000, fmt.Sprintf("transfers to make; with --crash the default is %d", demo.CrashRequests))
	flags.IntVar(&cfg.Clients, "clients", 64, fmt.Sprintf("clients that send at the same time; with --crash the default is %d", demo.CrashClients))
	flags.Uint64Var(&cfg.Seed, "seed", 0, "chooses transfers and faults; the same seed, the same faults (default random)")
	crash.addTo(cmd)
	flags.StringVarP(&output, "output", "o", "text", "text or json")
	cmd.AddCommand(newDemoBank())
	return cmd
}

// verdict is the report of a demo.
type verdict interface {
	Text(w io.Writer) error
	Verdict() error
}

// shownAndReported shows how far a demo is, prints its report, and returns what that finds.
func shownAndReported(cmd *cobra.Command, output string, run func(show func(demo.Progress)) (verdict, error)) error {
	shown := newProgress(cmd.ErrOrStderr())
	report, err := run(shown.show)
	shown.end()
	if err != nil {
		return err
	}
	if err := printReport(cmd.OutOrStdout(), report, output); err != nil {
		return err
	}
	return report.Verdict()
}

func printReport(w io.Writer, report verdict, output string) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return report.Text(w)
}

// progress shows how far the runs are: one line that changes on a terminal, a line for each run elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	last     time.Time
	open     bool // the cursor stands behind a line that may change
}

// progressEvery bounds how often a terminal is written to.
const progressEvery = 100 * time.Millisecond

func newProgress(w io.Writer) *progress {
	return &progress{w: w, terminal: isTerminal(w)}
}

func (p *progress) show(now demo.Progress) {
	name := map[string]string{"naive": "naive retries", "onceward": "with onceward", "crash": "through the proxy"}[now.Run]
	if !p.terminal {
		if now.Settled == 0 {
			fmt.Fprintf(p.w, "%s: transfers to make: %d\n", name, now.Wanted)
		}
		return
	}
	if now.Settled != 0 && now.Settled != now.Wanted && time.Since(p.last) < progressEvery {
		return
	}
	p.last, p.open = time.Now(), true
	fmt.Fprintf(p.w, "\r%s: %d of %d transfers\x1b[K", name, now.Settled, now.Wanted)
}

// end removes the line.
func (p *progress) end() {
	if p.open {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
