package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
	"github.com/onceward/onceward/store/pebblestore"
	"github.com/onceward/onceward/store/pgstore"
)

// storeKind is one scheme of a store's URL.
type storeKind struct {
	scheme, usage string
	open          func(ctx context.Context, url, service string) (store.Store, error)
	check         func(ctx context.Context, url, service string) (store.Store, error) // for `--check`, beside a proxy that runs; nil: open
}

// storeKinds are the stores that this build has. A new one is a row here.
var storeKinds = []storeKind{
	{scheme: "pebble", usage: "pebble:DIR", open: openPebble, check: checkPebble},
	{scheme: "memory", usage: "memory: (forgets when the process ends)", open: openMemory},
	{scheme: "postgres", usage: "postgres://user@host:5432/name", open: openPostgres},
	{scheme: "postgresql", open: openPostgres},
	{scheme: "redis", usage: "redis://user@host:6379 (or rediss:, redis+cluster:, redis+sentinel:)", open: openRedis, check: checkRedis},
	{scheme: "rediss", open: openRedis, check: checkRedis},
	{scheme: "redis+cluster", open: openRedis, check: checkRedis},
	{scheme: "redis+sentinel", open: openRedis, check: checkRedis},
}

// findStore finds the kind of a URL. It does not repeat the URL, which may hold a password.
func findStore(url string) (storeKind, error) {
	scheme, _, ok := strings.Cut(url, ":")
	i := slices.IndexFunc(storeKinds, func(k storeKind) bool { return ok && k.scheme == scheme })
	if i >= 0 {
		return storeKinds[i], nil
	}
	var known []string
	for _, k := range storeKinds {
		if k.usage != "" {
			known = append(known, k.usage)
		}
	}
	what := "store is not known"
	if url == "" {
		what = "store is missing"
	}
	return storeKind{}, fmt.Errorf("%s: use %s", what, strings.Join(known, ", "))
}

// openMemory seals the new store until now: what it has forgotten is refused if its key has a mint time, and not carried out again.
func openMemory(ctx context.Context, url, service string) (store.Store, error) {
	if url != "memory:" {
		return nil, errors.New("store memory: has nothing behind the colon")
	}
	s := memstore.New(memstore.Config{})
	if _, err := s.Seal(ctx, service, store.TimeOf(time.Now())); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openPebble opens a directory, which no other process may have open.
func openPebble(_ context.Context, url, _ string) (store.Store, error) {
	dir := strings.TrimPrefix(url, "pebble:")
	if dir == "" {
		return nil, errors.New("store pebble: names no directory")
	}
	return pebblestore.Open(dir, pebblestore.Config{Logf: logPebble})
}

// logPebble puts what Pebble says into the process's log. It says only what a person should see: damage, and failures in the background.
func logPebble(format string, args ...any) {
	slog.Error("the store's directory", slog.String("error", strings.TrimPrefix(fmt.Sprintf(format, args...), "pebblestore: ")))
}

// checkPebble opens another directory: the one that is named may belong to a proxy that runs.
func checkPebble(ctx context.Context, url, service string) (store.Store, error) {
	if url == "pebble:" {
		return openPebble(ctx, url, service)
	}
	dir, err := os.MkdirTemp("", "onceward-check")
	if err != nil {
		return nil, err
	}
	s, err := openPebble(ctx, "pebble:"+dir, service)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &borrowed{Store: s, dir: dir}, nil
}

// borrowed removes its directory when it is closed.
type borrowed struct {
	store.Store
	dir string
}

func (b *borrowed) Close() error { return errors.Join(b.Store.Close(), os.RemoveAll(b.dir)) }

// serverConns is how many connections a proxy has, unless its URL says pool_max_conns.
const serverConns = 32

func openPostgres(ctx context.Context, url, _ string) (store.Store, error) {
	cfg, err := readDSN(url, "store")
	if err != nil {
		return nil, err
	}
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = serverConns
	} else if own, err := pgxpool.ParseConfig(url); err == nil {
		cfg.MaxConns = own.MaxConns
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, unconnected(ctx, err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unconnected(ctx, err)
	}
	s, err := pgstore.New(ctx, pool, pgstore.Config{})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &ownPool{Store: s, pool: pool}, nil
}

// ownPool closes the pool with the store. It is all that the store is, a [store.Finder] too.
type ownPool struct {
	*pgstore.Store
	pool *pgxpool.Pool
}

func (o *ownPool) Close() error {
	err := o.Store.Close()
	o.pool.Close()
	return err
}
