package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/cmd/onceward/internal/faultproxy"
	"github.com/onceward/onceward/faults"
)

// newFaults stands between a client and its server and misbehaves.
func newFaults() *cobra.Command {
	cfg := faultproxy.Config{}
	var logTo string
	cmd := &cobra.Command{
		Use:   "faults --upstream URL",
		Short: "A proxy that loses replies after the work is done, and more",
		Long: `Passes HTTP requests on to --upstream and misbehaves with the probabilities given. It knows what a request is, so it can let
the upstream finish its work and lose the reply then. The same --seed and the same requests give the same faults. docs/faults.md in
the repository describes each of them.

Every fault is one JSON object in the log; keys are hashed. SIGINT or SIGTERM ends it: what is under way may finish, and the last
line on stderr sums up.`,
		Example: `  onceward faults --upstream http://127.0.0.1:8080 --lose-reply 0.3 --seed 7
  onceward faults --upstream http://127.0.0.1:8080 --only 'POST /transfers/' --reset 0.1 --delay 0.2:10ms-2s --log faults.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				cfg.Seed = uint64(rand.Uint32()) // short enough to type
			}
			cfg.Notes = cmd.ErrOrStderr()
			proxy, err := faultproxy.New(cfg)
			if err != nil {
				return err
			}
			// Only now: a wrong flag or a port that is taken must not cost the log of another run.
			out, closeLog, err := openLog(logTo, cmd.OutOrStdout())
			if err != nil {
				return errors.Join(err, proxy.Close())
			}
			return errors.Join(proxy.Run(cmd.Context(), out), closeLog())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Listen, "listen", faultproxy.DefaultListen, "`host:port` to listen on, HTTP/1.1 and HTTP/2 without TLS; port 0 takes a free one")
	flags.StringVar(&cfg.Upstream, "upstream", "", "`URL` of the server that requests are passed on to (required)")
	flags.BoolVar(&cfg.KeepHost, "keep-host", false, "send the upstream the Host that the client sent, not its own")
	flags.Float64Var(&cfg.LoseRequest, "lose-request", 0, "`probability` that the upstream never sees the request")
	flags.Float64Var(&cfg.LoseReply, "lose-reply", 0, "`probability` that the reply is lost, after the work is done")
	flags.Float64Var(&cfg.Cut, "cut", 0, "`probability` that the reply is cut after the headers or in the body")
	flags.Float64Var(&cfg.Reset, "reset", 0, "`probability` that the connection is reset, before the work or after it")
	flags.Float64Var(&cfg.Hang, "hang", 0, "`probability` that no answer comes, with the work done or not")
	flags.DurationVar(&cfg.HangLimit, "hang-limit", faultproxy.DefaultHangLimit, "`time` after which a hanging exchange is aborted")
	flags.Float64Var(&cfg.Duplicate, "duplicate", 0, "`probability` that the request is delivered twice")
	flags.StringVar(&cfg.Delay, "delay", "", "`P:MIN-MAX`, a probability and two times: the request or the reply comes later, like 0.2:10ms-2s")
	flags.StringArrayVar(&cfg.Only, "only", nil, "`pattern` of the requests that faults may strike, like 'POST /transfers/{id}' or /orders/; repeatable (default all)")
	flags.StringVar(&cfg.Identity, "identity", faultproxy.DefaultIdentity, "`header` that names what a request is a copy of; without it: method and path")
	flags.Uint64Var(&cfg.Seed, "seed", 0, "chooses what strikes; the same seed, the same faults (default random)")
	flags.StringVar(&logTo, "log", "-", "`file` for the faults, one JSON object a line, overwritten; - is stdout")
	flags.IntVar(&cfg.MaxBody, "max-body", faults.DefaultMaxBody, "`bytes` kept of a request or a reply; larger requests are not duplicated, delayed or left hanging")
	flags.IntVar(&cfg.MaxExchanges, "max-exchanges", faultproxy.DefaultMaxExchanges, "exchanges under way at once; more are answered 503")
	flags.DurationVar(&cfg.Grace, "grace", faultproxy.DefaultGrace, "`time` for what is under way to finish at the end")
	return cmd
}

// openLog opens what --log names.
func openLog(name string, stdout io.Writer) (io.Writer, func() error, error) {
	if name == "-" {
		return stdout, func() error { return nil }, nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("--log: %w", err)
	}
	return f, f.Close, nil
}
