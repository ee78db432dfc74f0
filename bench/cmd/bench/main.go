// Command bench measures onceward beside what it is compared with and prints the tables of docs/performance.md; -write puts them there.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/onceward/onceward/bench/pebble"
	"github.com/onceward/onceward/bench/report"
)

// parts are what can be measured, by the target of the Makefile.
var parts = map[string]func(o report.Options) (string, error){"bench": report.Make, "bench-postgres": report.Postgres, "bench-pebble": report.Pebble, "bench-redis": report.Redis, "bench-proxy": report.Proxy}

func main() {
	pebble.Child()
	var o report.Options
	part := flag.String("part", "bench", fmt.Sprintf("what to measure: one of %q", slices.Sorted(maps.Keys(parts))))
	write := flag.String("write", "", "the page whose tables are replaced, docs/performance.md")
	flag.BoolVar(&o.Short, "short", false, "few rounds, to see that it works: its numbers mean little")
	flag.StringVar(&o.Folder, "dir", "", "bench-pebble and bench-proxy: a folder on the disk that is measured; default: where temporary files are")
	flag.Parse()
	if err := run(*part, *write, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(part, write string, o report.Options) error {
	measure, ok := parts[part]
	if !ok {
		return fmt.Errorf("there is no part %q, see -help", part)
	}
	page, err := measure(o)
	if err != nil {
		return err
	}
	fmt.Print(page)
	if write == "" {
		return nil
	}
	return report.Write(write, part, page)
}
