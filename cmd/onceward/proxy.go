package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/sidecar"
)

// newProxy is the sidecar.
func newProxy() *cobra.Command {
	var file string
	var check bool
	given := make(map[string][]string)
	cmd := &cobra.Command{
		Use:   "proxy --upstream URL --scope KIND",
		Short: "Make a service's POSTs safe to retry, from the outside",
		Long: `A reverse proxy in front of one service in any language. A request with an Idempotency-Key reaches the service once; its reply is
saved, and each retry is given that reply. Everything else streams through untouched. docs/proxy.md in the repository is the manual.

A replay is answered by the proxy: it does not pass the service's own authorisation.

Every setting may also stand in the file that --config names, or in the environment: --max-body is max-body in the file, and
ONCEWARD_PROXY_MAX_BODY. A flag counts more than the environment, and that more than the file. SIGHUP reads the file again.`,
		Example: `  onceward proxy --upstream http://127.0.0.1:8080 --scope header:X-Authenticated-User --data ./onceward-data
  onceward proxy --config proxy.yaml --check`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runProxy(cmd, sidecar.Sources{File: file, Env: os.LookupEnv, Flags: given}, check)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return withoutValues(err) })
	flags := cmd.Flags()
	flags.StringVar(&file, "config", "", "`FILE` with settings, YAML")
	flags.BoolVar(&check, "check", false, "check the settings, print what each route guarantees, and end")
	defaults := sidecar.Default()
	for _, s := range sidecar.Settings(&defaults) {
		f := flags.VarPF(&givenFlag{setting: s, given: given}, s.Name, "", s.Help)
		if s.IsBool() {
			f.NoOptDefVal = "true"
		}
	}
	return cmd
}

// givenFlag notes what a setting's flag was given; the file, which counts less, is read later.
type givenFlag struct {
	setting sidecar.Setting
	given   map[string][]string
}

func (g *givenFlag) Set(text string) error {
	g.given[g.setting.Name] = append(g.given[g.setting.Name], text)
	return nil
}

func (g *givenFlag) String() string { return g.setting.String() }

// Type is what the help shows for the value.
func (g *givenFlag) Type() string {
	if g.setting.IsBool() {
		return "bool"
	}
	return g.setting.Arg
}

func runProxy(cmd *cobra.Command, from sidecar.Sources, check bool) error {
	ctx := cmd.Context()
	cfg, err := loadProxy(from)
	if err != nil {
		return err
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	kind, err := findStore(cfg.Store)
	if err != nil {
		return err
	}
	open, log := kind.open, newLog(cmd.ErrOrStderr(), cfg)
	if check {
		if kind.check != nil {
			open = kind.check
		}
		log = slog.New(slog.DiscardHandler)
	} else {
		slog.SetDefault(slog.New(libraryLog{log.Handler()}))
	}
	for _, name := range sidecar.UnknownEnv(os.Environ()) {
		newLog(cmd.ErrOrStderr(), cfg).Warn("this variable is no setting, and is not used", slog.String("variable", name))
	}
	hangups := make(chan os.Signal, 1)
	if !check {
		signal.Notify(hangups, syscall.SIGHUP) // one that comes before the proxy is there must not end it
		defer signal.Stop(hangups)
	}
	s, err := open(ctx, cfg.Store, cfg.Service)
	if err != nil {
		return err
	}
	p, err := sidecar.New(ctx, s, cfg, log)
	if err != nil {
		return err
	}
	if check {
		fmt.Fprint(cmd.OutOrStdout(), strings.Join(p.Guarantees(), "\n"))
		return p.Close(ctx)
	}
	defer reloadOnHangup(ctx, hangups, p, from, log)()
	return p.Run(ctx)
}

// loadProxy reads the settings, and resolves the short form of a store.
func loadProxy(from sidecar.Sources) (sidecar.Config, error) {
	cfg, err := sidecar.Load(from)
	switch {
	case err != nil:
		return cfg, err
	case cfg.Data != "" && cfg.Store != sidecar.Default().Store:
		return cfg, errors.New("data is short for store: set one of them")
	case cfg.Data != "":
		cfg.Store = "pebble:" + cfg.Data
	}
	return cfg, nil
}

// reloadOnHangup reads the settings again at each SIGHUP until stop is called. A wrong file changes nothing.
func reloadOnHangup(ctx context.Context, hangups chan os.Signal, p *sidecar.Proxy, from sidecar.Sources, log *slog.Logger) (stop func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range hangups {
			if err := p.ReloadFrom(ctx, func() (sidecar.Config, error) { return loadProxy(from) }); err != nil {
				log.Error("the settings are not used, the old ones stay", slog.String("error", err.Error()))
				continue
			}
			log.Info("settings read again")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-ended
	}
}

// libraryLog is for what libraries say by package log. What an upstream sends on an idle connection, be it the rest of a reply, net/http would show there.
type libraryLog struct{ slog.Handler }

// Handle implements [slog.Handler].
func (l libraryLog) Handle(ctx context.Context, r slog.Record) error {
	r.Message = sidecar.Unquoted(r.Message)
	return l.Handler.Handle(ctx, r)
}

func newLog(w io.Writer, cfg sidecar.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // Validate has looked at it
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
