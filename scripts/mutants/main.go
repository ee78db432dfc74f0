// Command mutants breaks each guarantee on purpose and expects a test to notice.
//
// Every file mutants/NAME.patch is a small wrong change, with two lines above the diff that name the package and the test
// that must fail. The patch is applied to copies, never to the working tree. A mutant is killed when the test passes without
// the patch and fails with it; one that does not apply or does not compile is an error, for it proves nothing.
//
// It prints a line for each mutant and "killed N/N", and exits with 1 if any is left. An argument is a regular
// expression for the names to run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
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
	killed := 0
	for _, err := range each(mutants, parallel, func(m mutant) error {
		err := lab.try(m)
		if err != nil {
			fmt.Printf("LEFT    %s: %v\n", m.name, err)
		} else {
			fmt.Printf("killed  %s (%s %s)\n", m.name, m.pkg, m.run)
		}
		return err
	}) {
		if err == nil {
			killed++
		}
	}
	fmt.Printf("killed %d/%d\n", killed, len(mutants))
	if killed < len(mutants) {
		return errors.New("a guarantee is not held by its test; read mutants/README.md")
	}
	return nil
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
