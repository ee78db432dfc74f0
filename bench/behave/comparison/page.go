package comparison

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onceward/onceward/bench/behave"
)

// Page is docs/comparison.md below its heading.
func Page(columns []Column, absent []string, date string) string {
	var b strings.Builder
	b.WriteString("\n## What was run\n\n")
	head(&b, "target", "version", "configuration")
	for _, c := range columns {
		row(&b, c.Name, c.Report.Target.Version, c.Setup)
	}
	fmt.Fprintf(&b, "\nThe results last changed on %s.\n", date)
	b.WriteString("\nThe Go module proxy does not serve these, so that they were not run; nobody's code is imitated:\n`" + strings.Join(absent, "`, `") + "`.\n")
	for _, g := range behave.Groups() {
		title := strings.ToUpper(string(g[:1])) + string(g[1:])
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		table(&b, columns, func(c behave.Case) bool { return c.Kind == behave.Counts && c.Group == g })
	}
	b.WriteString("\n## Where several answers are right\n\nThese do not count.\n\n")
	table(&b, columns, func(c behave.Case) bool { return c.Kind == behave.Tells })
	b.WriteString("\n## Why\n\nEach failure was looked up in the source.\n")
	for _, c := range columns {
		why(&b, c)
	}
	return b.String()
}

// table writes the cases that wanted names, a row for each.
func table(b *strings.Builder, columns []Column, wanted func(behave.Case) bool) {
	names := []string{"case", "a correct server"}
	for _, c := range columns {
		names = append(names, c.heading())
	}
	head(b, names...)
	for _, k := range behave.Cases() {
		if !wanted(k) {
			continue
		}
		cells := []string{"`" + k.Name + "`", k.Says}
		for _, c := range columns {
			cells = append(cells, cell(c.result(k.Name)))
		}
		row(b, cells...)
	}
}

// cell shows an outcome. The note of a failure stands in the list of reasons.
func cell(r behave.Result) string {
	switch {
	case r.Kind == behave.Tells && r.Outcome == behave.Pass:
		return r.Note
	case r.Note == "" || r.Outcome == behave.Fail && r.Kind == behave.Counts:
		return sign(r.Outcome)
	}
	return sign(r.Outcome) + " " + r.Note
}

// why lists a target's failures, those with one reason together.
func why(b *strings.Builder, c Column) {
	var reasons []string
	cases := map[string][]string{}
	for _, r := range c.Report.Results {
		if r.Outcome != behave.Fail {
			continue
		}
		reason := c.Reasons[r.Name]
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
		cases[reason] = append(cases[reason], fmt.Sprintf("`%s` (%s)", r.Name, r.Note))
	}
	fmt.Fprintf(b, "\n### %s\n\n", c.Name)
	if len(reasons) == 0 {
		b.WriteString("It fails none.\n")
	}
	for _, reason := range reasons {
		fmt.Fprintf(b, "* %s: %s.\n", strings.Join(cases[reason], ", "), reason)
	}
}
