package comparison

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/onceward/onceward/bench/behave"
)

// Text is the whole result for a terminal: a line for each case, then every failure with its note.
func Text(columns []Column) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "case")
	for _, c := range columns {
		fmt.Fprint(t, "\t", c.heading())
	}
	fmt.Fprintln(t)
	for _, k := range behave.Cases() {
		cells, ran := "", false
		for _, c := range columns {
			r := c.result(k.Name)
			ran = ran || r.Name != ""
			cells += "\t" + outcome(r)
		}
		if ran {
			fmt.Fprintf(t, "%s%s\n", k.Name, cells)
		}
	}
	fmt.Fprint(t, "passed, of what applies and counts")
	for _, c := range columns {
		passed, of := c.score("")
		fmt.Fprintf(t, "\t%d / %d", passed, of)
	}
	fmt.Fprintln(t)
	_ = t.Flush() // into memory: cannot fail
	for _, c := range columns {
		for _, r := range c.Report.Results {
			if r.Outcome == behave.Fail {
				fmt.Fprintf(&b, "\n%s fails %s: %s", c.Name, r.Name, r.Note)
			}
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func outcome(r behave.Result) string {
	switch {
	case r.Name == "":
		return ""
	case r.Kind == behave.Tells && r.Outcome == behave.Pass:
		return r.Note
	}
	return string(r.Outcome)
}
