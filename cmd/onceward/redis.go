package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
	"github.com/onceward/onceward/store/redisstore"
)

// openRedis opens a table that other proxies may share. A password that does not stand in the URL comes from a file or the environment: see [redisstore.Open].
func openRedis(ctx context.Context, url, _ string) (store.Store, error) {
	s, err := redisstore.Open(ctx, url, redisstore.Config{})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

// checkRedis tells what the table promises. What is checked is a store in memory in its place, for a guard would begin to purge a table that serves.
func checkRedis(ctx context.Context, url, _ string) (store.Store, error) {
	t, err := redisstore.Look(ctx, url, redisstore.Config{})
	switch {
	case errors.Is(err, redisstore.ErrNoStore):
		t.Caveats = append(t.Caveats, "This Redis has no store with this prefix yet: the proxy lays one out when it starts, and keys that were minted before are refused.")
	case err != nil:
		return nil, fmt.Errorf("store: %w", err)
	}
	return &promised{Store: memstore.New(memstore.Config{}), traits: t}, nil
}

// promised is a store that promises what another one would.
type promised struct {
	store.Store
	traits store.Traits
}

func (p *promised) Traits() store.Traits { return p.traits }

// redisVariable is the environment's --url.
const redisVariable = "REDIS_URL"

// table is where a command works: the flag --url.
type table struct{ url string }

func (d *table) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.url, "url", "", "`URL` of Redis, like redis://user@host:6379 (default $"+redisVariable+"); its password comes from $REDISCLI_AUTH, or ?password-file=PATH, where others do not see it")
	cmd.Args = noArgumentsBut("--url")
}

// open connects to a store that is there. The caller closes it.
func (d *table) open(cmd *cobra.Command) (*redisstore.Store, error) {
	url, name := d.url, "--url"
	if !cmd.Flags().Changed("url") {
		url, name = os.Getenv(redisVariable), redisVariable
	}
	if url == "" {
		return nil, errors.New("no Redis: use --url, or set " + redisVariable)
	}
	d.url = url
	s, err := redisstore.Open(cmd.Context(), url, redisstore.Config{Existing: true})
	switch {
	case errors.Is(err, redisstore.ErrNoStore):
		return nil, fmt.Errorf("%s: %w: give it the ?prefix= that the processes have; an empty Redis is laid out, and sealed until then, when a process starts", name, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// place is the URL, which could be read, without user, password and parameters.
func (d *table) place() string {
	scheme, rest, _ := strings.Cut(d.url, "://")
	rest, _, _ = strings.Cut(rest, "?")
	return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}

// newSealRedis raises a service's watermark in Redis.
func newSealRedis() *cobra.Command {
	var s seal
	var d table
	cmd := &cobra.Command{
		Use:   "redis --service NAME --until now|TIME",
		Short: "The records in Redis",
		Long: `A restored Redis does not know what was executed after its backup, and an emptied one knows nothing: they would execute it again. Before it serves, seal
each of its services until now: stamped keys that were minted up to then are refused from then on (410 key-expired), unless their record is there. Where
there is no store with the prefix, none is laid out: a process that starts on it does that, and seals it.

The time is that of the server's clock. Nothing takes a seal back. Keys without a stamp cannot be sealed. docs/operations.md in the
repository has the whole procedure.`,
		Example: `  REDIS_URL=redis://owner@cache.example:6379 onceward store seal redis --service orders --until now`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			asked, err := s.asked()
			if err != nil {
				return err
			}
			records, err := d.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, records.Close()) }()
			return s.raise(cmd, records, asked, d.place()+", prefix "+records.Prefix())
		},
	}
	d.addTo(cmd)
	s.addFlags(cmd)
	return cmd
}

// newInspectRedis tells what is in a Redis.
func newInspectRedis() *cobra.Command {
	var d table
	cmd := &cobra.Command{
		Use:   "redis",
		Short: "The records in Redis",
		Long: `Tell what a store in Redis holds and promises: records by state, watermarks, the oldest unknown operation, what weakens it. Processes may go on serving
from it. Nothing is changed, and no store is laid out.`,
		Example: `  REDIS_URL=redis://owner@cache.example:6379 onceward store inspect redis`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			records, err := d.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, records.Close()) }()
			r, err := records.Report(cmd.Context())
			if err != nil {
				return err
			}
			describeRedis(cmd.OutOrStdout(), d.place(), r, records.Traits())
			return nil
		},
	}
	d.addTo(cmd)
	return cmd
}

func describeRedis(out io.Writer, place string, r redisstore.Report, t store.Traits) {
	fmt.Fprintf(out, "%s, prefix %s, %d shards\n", place, r.Prefix, r.Shards)
	fmt.Fprintf(out, "%d claimed, %d started, %d unknown, %d done\n", r.Stats.Claimed, r.Stats.Started, r.Stats.Unknown, r.Stats.Done)
	for _, name := range slices.Sorted(maps.Keys(r.Services)) {
		fmt.Fprintf(out, "service %q: %d done, watermark %s\n", name, r.Services[name].Done, shown(r.Services[name].Watermark))
	}
	fmt.Fprintf(out, "oldest unknown: %s\n", shown(r.Stats.OldestUnknown))
	if t.LossyFailover {
		fmt.Fprintln(out, "- A failover may forget what was acknowledged, and that may run again.")
	}
	for _, weak := range t.Caveats {
		fmt.Fprintln(out, "- "+weak)
	}
}
