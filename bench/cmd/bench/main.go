// Command bench measures onceward beside what it is compared with and prints the tables of docs/performance.md; -write puts them there.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/onceward/onceward/bench/report"
)

// parts are what can be measured, by the target of the Makefile.
var parts = map[string]func(short bool) (string, error){"bench": report.Make, "bench-postgres": report.Postgres}

func main() {
	part := flag.String("part", "bench", fmt.Sprintf("what to measure: one of %q", slices.Sorted(maps.Keys(parts))))
	write := flag.String("write", "", "the page whose tables are replaced, docs/performance.md")
	short := flag.Bool("short", false, "few rounds, to see that it works: its numbers mean little")
	flag.Parse()
	if err := run(*part, *write, *short); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(part, write string, short bool) error {
	measure, ok := parts[part]
	if !ok {
		return fmt.Errorf("there is no part %q, see -help", part)
	}
	page, err := measure(short)
	if err != nil {
		return err
	}
	fmt.Print(page)
	if write == "" {
		return nil
	}
	return report.Write(write, part, page)
}
