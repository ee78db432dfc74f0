package main

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The manual's table has every flag of the command with its default, and no other; and every fault has its row and its flag.
func TestFaultsManualHasEveryFlag(t *testing.T) {
	b, err := os.ReadFile("../../docs/faults.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no docs: this is a copy of the module alone")
	}
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| ?(.*?) ?\\| .+ \\|$").FindAllStringSubmatch(string(b), -1) {
		if _, twice := said[row[1]]; twice {
			t.Errorf("--%s is there twice", row[1])
		}
		said[row[1]] = strings.Trim(row[2], "`")
	}
	flags := newFaults().Flags()
	special := map[string]string{"seed": "drawn", "only": ""}
	names := regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllStringSubmatch(flags.FlagUsages(), -1)
	if len(names) < 15 {
		t.Errorf("only %d flags are seen: the test looks in the wrong place", len(names))
	}
	for _, found := range names {
		name := found[1]
		standard, ok := special[name]
		if !ok {
			standard = flags.Lookup(name).DefValue
		}
		if got, ok := said[name]; !ok || got != standard {
			t.Errorf("--%s: the manual has it: %v, with default %q; the command's default is %q", name, ok, got, standard)
		}
		delete(said, name)
	}
	for name := range said {
		t.Errorf("--%s stands in the manual, and the command does not have it", name)
	}
	for _, name := range []string{"lose-request", "lose-reply", "cut-reply", "reset", "hang", "duplicate", "delay"} {
		if !strings.Contains(string(b), "\n| "+name+" | `--") {
			t.Errorf("the manual does not say what %s does", name)
		}
	}
}
