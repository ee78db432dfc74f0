package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"sync"
	"time"

	"github.com/onceward/onceward/bench/behave"
	"github.com/onceward/onceward/bench/behave/comparison"
	"github.com/onceward/onceward/bench/behave/targets"
)

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("behave", flag.ContinueOnError)
	url := flags.String("url", "", "base `URL` of a server of your own, which must offer the contract; default: the built-in targets")
	output := flags.String("o", "text", "`format`: text or json")
	write := flags.String("write", "", "write the tables into the READMEs and docs of the repository at `root`")
	only := flags.String("run", "", "only the cases whose names match this `regexp`")
	list := flags.Bool("list", false, "list the cases")
	if err := flags.Parse(args); err != nil {
		return err
	}
	names, err := regexp.Compile(*only)
	switch {
	case err != nil:
		return fmt.Errorf("-run: %w", err)
	case *output != "text" && *output != "json":
		return fmt.Errorf("-o is %q: use text or json", *output)
	case *write != "" && (*url != "" || *only != ""):
		return errors.New("-write is for all cases at the built-in targets: leave out -url and -run")
	case *list:
		for _, c := range behave.Cases() {
			fmt.Fprintf(out, "%s: %s\n    %s\n", c.Group, c.Name, c.Says)
		}
		return nil
	}
	wants := func(c behave.Case) bool { return names.MatchString(c.Name) }
	var columns []comparison.Column
	if *url != "" {
		report, err := behave.Run(ctx, behave.Config{URL: *url, Wants: wants})
		if err != nil {
			return err
		}
		columns = []comparison.Column{{Name: report.Target.Name, Report: report}}
	} else if columns, err = runAll(ctx, wants); err != nil {
		return err
	}
	if *write != "" {
		for range 2 { // on a busy machine a copy may come too late to meet a peer's fault
			if len(comparison.Faults(columns)) == 0 {
				break
			}
			if columns, err = runAll(ctx, wants); err != nil {
				return err
			}
		}
		return comparison.Write(*write, columns, targets.Unavailable(), time.Now().UTC().Format(time.DateOnly))
	}
	if err := show(out, *output, columns); err != nil {
		return err
	}
	return verdict(columns[:1]) // peers may fail what they fail
}

// runAll runs the built-in targets side by side.
func runAll(ctx context.Context, wants func(behave.Case) bool) ([]comparison.Column, error) {
	all := targets.All()
	columns, faults := make([]comparison.Column, len(all)), make([]error, len(all))
	var done sync.WaitGroup
	for i, t := range all {
		done.Go(func() {
			running, err := t.Start()
			if err != nil {
				faults[i] = fmt.Errorf("start %s: %w", t.Name, err)
				return
			}
			defer running.Stop()
			report, err := behave.Run(ctx, behave.Config{URL: running.URL, Wants: wants})
			columns[i], faults[i] = comparison.Column{Name: t.Name, Setup: t.Setup, Reasons: t.Reasons, Report: report}, err
		})
	}
	done.Wait()
	return columns, errors.Join(faults...)
}

func show(out io.Writer, format string, columns []comparison.Column) error {
	if format == "text" {
		_, err := io.WriteString(out, comparison.Text(columns))
		return err
	}
	reports := make([]behave.Report, len(columns))
	for i, c := range columns {
		reports[i] = c.Report
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(reports)
}

func verdict(columns []comparison.Column) error {
	for _, c := range columns {
		for _, r := range c.Report.Results {
			if r.Outcome == behave.Fail {
				return fmt.Errorf("%s fails", c.Name)
			}
		}
	}
	return nil
}
