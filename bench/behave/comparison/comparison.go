// Package comparison writes what package behave found as tables: the short one of the READMEs, and docs/comparison.md.
package comparison

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onceward/onceward/bench/behave"
)

// Column is one target and what it did.
type Column struct {
	Name    string
	Setup   string
	Reasons map[string]string // by case: why it fails
	Report  behave.Report
}

// heading is the name of a column, a peer's with its version.
func (c Column) heading() string {
	if v := c.Report.Target.Version; v != "" && v[0] >= '0' && v[0] <= '9' {
		return c.Name + " (" + v + ")"
	}
	return c.Name
}

func (c Column) result(name string) behave.Result {
	for _, r := range c.Report.Results {
		if r.Name == name {
			return r
		}
	}
	return behave.Result{Verdict: behave.Verdict{Outcome: behave.NotApplicable}}
}

// score counts what passed of a group's cases that apply.
func (c Column) score(g behave.Group) (passed, of int) {
	for _, r := range c.Report.Results {
		if r.Kind != behave.Counts || r.Group != g && g != "" || r.Outcome == behave.NotApplicable {
			continue
		}
		of++
		if r.Outcome == behave.Pass {
			passed++
		}
	}
	return passed, of
}

// Faults says which failures have no reason beside them, and which reasons no failure. A failure that nobody has looked into is not published.
func Faults(columns []Column) (faults []string) {
	for _, c := range columns {
		for _, r := range c.Report.Results {
			if r.Outcome == behave.Fail && c.Reasons[r.Name] == "" {
				faults = append(faults, fmt.Sprintf("%s fails %s (%s), and its reasons do not say why", c.Name, r.Name, r.Note))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(c.Reasons)) {
			if c.result(name).Outcome != behave.Fail {
				faults = append(faults, fmt.Sprintf("%s has a reason for failing %s, and does not fail it", c.Name, name))
			}
		}
	}
	return faults
}

// row writes a line of a table.
func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// head writes the first two lines of a table.
func head(b *strings.Builder, cells ...string) {
	row(b, cells...)
	b.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
}

func sign(o behave.Outcome) string {
	switch o {
	case behave.Pass:
		return "✓"
	case behave.Fail:
		return "✗"
	}
	return "–"
}
