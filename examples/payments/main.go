// Command payments is a small bank on onceward, and a walk through what a network and a crash can do to it:
//
//	go run ./examples/payments
//
// It starts a throw-away PostgreSQL where the server's binaries are installed, and works in memory otherwise. The exit status is 1 if in the end the books
// are wrong. README.md says what to copy.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store/pgstore/pgtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "payments:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("payments", flag.ContinueOnError)
	seed := flags.Uint64("seed", uint64(rand.Uint32()), "chooses the storm's orders and faults")
	where := flags.String("store", "auto", "postgres, memory, or auto: PostgreSQL where its binaries are")
	replica := flags.String("replica", "", "for the walk itself: serve this database, and die")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *replica != "" {
		return serveReplica(ctx, *replica, stdin, stdout)
	}
	_, missing := pgtest.Find()
	memory, err := chooseMemory(*where, missing, os.Getenv("CI") == "true")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "payments on onceward, seed %d\n", *seed)
	if memory {
		return walkInMemory(ctx, *seed, missing, stdout)
	}
	return walkInPostgres(ctx, *seed, stdout)
}

// chooseMemory says whether the walk is in memory. In CI nobody would read that its promise is weaker, so there it is an error.
func chooseMemory(where string, missing error, ci bool) (memory bool, err error) {
	switch {
	case where == "memory":
		return true, nil
	case where != "auto" && where != "postgres":
		return false, fmt.Errorf("-store is %q: use auto, postgres or memory", where)
	case missing != nil && (where == "postgres" || ci):
		return false, missing
	}
	return missing != nil, nil
}

func walkInPostgres(ctx context.Context, seed uint64, stdout io.Writer) (err error) {
	server, err := pgtest.Start(ctx, pgtest.Config{Durable: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	database, err := server.Database(ctx)
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, database)
	if err != nil {
		return err
	}
	var version string
	err = errors.Join(migrate(ctx, pool), pool.QueryRow(ctx, "SHOW server_version").Scan(&version))
	pool.Close()
	if err != nil {
		return err
	}
	b, err := openPostgres(ctx, database)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "PostgreSQL %s, started for this walk and thrown away after it.\n", version)
	return play(ctx, b, database, seed, stdout)
}

func walkInMemory(ctx context.Context, seed uint64, missing error, stdout io.Writer) error {
	b, err := openMemory(ctx)
	if err != nil {
		return err
	}
	if missing != nil {
		fmt.Fprintf(stdout, "%v.\n", missing)
	}
	fmt.Fprint(stdout, weaker)
	return play(ctx, b, "", seed, stdout)
}

// weaker is what memory does not promise.
const weaker = `Record mode, in memory: WEAKER than the same transaction in PostgreSQL.
  - When this process ends, all keys are forgotten: a retry that comes after it runs again.
  - A handler that dies in the middle is not rolled back. Its operation is held as unknown: at most once, until somebody looks and decides (onceward keys).
  - One process only: a second one would not know the keys of the first.
`

func play(ctx context.Context, b *bank, database string, seed uint64, stdout io.Writer) (err error) {
	defer func() { err = errors.Join(err, b.Close()) }()
	fmt.Fprintln(stdout, strings.TrimSpace(b.guarantee.String()))
	s, err := newWalk(b, database, seed, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.play(ctx)
}
