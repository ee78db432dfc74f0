// Command mutants breaks each guarantee on purpose and expects a test to notice.
//
// Every file mutants/NAME.patch is a small wrong change, with two lines above the diff that name the package and the test
// that must fail. The patch is applied to copies, never to the working tree. A mutant is killed when the test passes without
// the patch and fails with it; one that does not apply or does not compile is an error, for it proves nothing.
//
// It prints a line for each mutant, tries those that are left once more, alone, prints "killed N/N", and exits with 1 if any
// is left then. An argument is a regular expression for the names to run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

func main() {
	parallel := flag.Int("parallel", 3*runtime.GOMAXPROCS(0), "how many mutants to try at a time; most wait, for a server or a time")
	proved := flag.Bool("proved", false, "all tests have just passed without a patch: do not run them for that once more")
	timeout := flag.Duration("timeout", time.Minute, "for one test run; a mutant that hangs its test is killed")
	flag.Parse()
	lab, err := newLab(*timeout, *proved)
	if err == nil {
		err = tryAll(lab, flag.Arg(0), max(1, *parallel))
		lab.close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func tryAll(lab *lab, only string, parallel int) error {
	filter, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(lab.root, "mutants", "*.patch"))
	if err != nil {
		return err
	}
	var mutants []mutant
	var faults []error
	for _, path := range paths {
		m, err := readMutant(path)
		switch {
		case err != nil:
			faults = append(faults, err)
		case filter.MatchString(m.name):
			mutants = append(mutants, m)
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if len(mutants) == 0 {
		return errors.New("no mutants")
	}
	lab.mutants = mutants
	own := false
	try := func(m mutant) error {
		start := time.Now()
		err := lab.try(m, own)
		if took := time.Since(start).Round(100 * time.Millisecond); err != nil {
			fmt.Printf("LEFT    %s after %v: %v\n", m.name, took, err)
		} else {
			fmt.Printf("killed  %s in %v (%s %s)\n", m.name, took, m.pkg, m.run)
		}
		return err
	}
	left := those(mutants, each(mutants, parallel, try))
	if again := left; len(again) > 0 {
		// Some tests look for what only sometimes happens, and find less of it on a busy machine.
		fmt.Printf("%d are left; once more, one at a time, each with a binary of its own:\n", len(again))
		own = true
		left = those(again, each(again, 1, try))
	}
	fmt.Printf("killed %d/%d\n", len(mutants)-len(left), len(mutants))
	if len(left) > 0 {
		return fmt.Errorf("not held by their tests: %s; read mutants/README.md", strings.Join(names(left), ", "))
	}
	return nil
}

// those returns the mutants whose result is an error.
func those(mutants []mutant, results []error) (left []mutant) {
	for i, err := range results {
		if err != nil {
			left = append(left, mutants[i])
		}
	}
	return left
}

func names(mutants []mutant) (names []string) {
	for _, m := range mutants {
		names = append(names, m.name)
	}
	return names
}

// each calls try for all mutants, a few at a time, and returns the results in order.
func each(mutants []mutant, parallel int, try func(mutant) error) []error {
	results := make([]error, len(mutants))
	slots := make(chan struct{}, parallel)
	var all sync.WaitGroup
	for i, m := range mutants {
		slots <- struct{}{}
		all.Go(func() {
			results[i] = try(m)
			<-slots
		})
	}
	all.Wait()
	return results
}
