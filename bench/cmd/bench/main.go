// Command bench measures onceward beside what it is compared with and prints the tables of docs/performance.md; -write puts them there.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/onceward/onceward/bench/report"
)

func main() {
	write := flag.String("write", "", "the page whose tables are replaced, docs/performance.md")
	short := flag.Bool("short", false, "few rounds, to see that it works: its numbers mean little")
	flag.Parse()
	page, err := report.Make(*short)
	if err == nil {
		fmt.Print(page)
		if *write != "" {
			err = report.Write(*write, page)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
