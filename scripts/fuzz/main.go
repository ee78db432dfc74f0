// Command fuzz runs every fuzz target of every module of go.work, for a short time each.
//
// The go command fuzzes one target at a time and only where it is told to. This one finds the targets in the source, and fails if a test binary
// knows others, so that none is left out in silence. Each package is built once.
//
// It prints a line for each target – how often it ran, how many inputs were new – and the count, and exits with 1 if one failed. The input that made it
// fail is then a file in testdata/fuzz of the target's package; nothing else is written into the tree. An argument is a regular expression for the
// targets to run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
)

func main() {
	fuzztime := flag.String("time", "2s", "for each target; a number with an x: so many inputs")
	flag.Parse()
	lab, err := newLab(*fuzztime)
	if err == nil {
		err = fuzzAll(os.Stdout, lab, flag.Arg(0))
		lab.close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// fuzzAll runs the targets whose name or package fits only.
func fuzzAll(w io.Writer, lab *lab, only string) error {
	filter, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	packages, err := findAll(lab.modules)
	if err != nil {
		return err
	}
	ran, failed := 0, 0
	for _, p := range packages {
		wanted := p.wanted(filter)
		if len(wanted) == 0 {
			continue
		}
		binary, err := lab.build(&p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.dir, err)
		}
		for _, target := range wanted {
			r := lab.fuzz(p, binary, target)
			fmt.Fprintln(w, r)
			ran++
			if r.err != nil {
				failed++
			}
		}
	}
	switch {
	case ran == 0:
		return errors.New("no fuzz target has such a name")
	case failed > 0:
		return fmt.Errorf("%d of %d targets failed; correct the code, and commit the input: from then on it is a test", failed, ran)
	}
	fmt.Fprintf(w, "%d targets of %d ran, all ok; the source has them in %d packages of %d modules\n", ran, count(packages), len(packages), len(lab.modules))
	return nil
}
