package onceward_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// What .golangci.yml switches off has its reason beside it, or in a comment right above it or above the list that it begins.
func TestLintExceptionsHaveReasons(t *testing.T) {
	text := string(read(t, ".golangci.yml"))
	faults, exceptions := lintFaults(text)
	for _, fault := range faults {
		t.Error(".golangci.yml:" + fault)
	}
	if exceptions < 25 {
		t.Errorf("only %d exceptions seen: has the file changed shape?", exceptions)
	}
}

var (
	// Keys whose lists switch something off, and entries that do so by themselves.
	offKey   = regexp.MustCompile(`^(disable|exclude-functions|ignore|presets|linters|paths|arguments|generated)$`)
	offEntry = regexp.MustCompile(`^- -|^(context-background|generated|ignore): `)
	ymlKey   = regexp.MustCompile(`^(?:- )?([a-z-]+):`)
)

// lintFaults reads the file line by line: keys by their indentation, entries below them. A comment line gives its reason to all entries
// that follow it without a blank line, another comment or an end of the list.
func lintFaults(text string) (faults []string, exceptions int) {
	type level struct {
		indent int
		key    string
	}
	var above []level
	reason := 0 // the indentation of a comment line that is still in force; 0: none
	for n, line := range strings.Split(text, "\n") {
		entry := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case entry == "":
			reason = 0
			continue
		case strings.HasPrefix(entry, "#"):
			reason = indent
			continue
		case indent < reason:
			reason = 0
		}
		for len(above) > 0 && above[len(above)-1].indent >= indent {
			above = above[:len(above)-1]
		}
		off := offEntry.MatchString(entry)
		if len(above) > 0 {
			parent := above[len(above)-1].key
			off = off || strings.HasPrefix(entry, "- ") && offKey.MatchString(parent)
		}
		if key := ymlKey.FindStringSubmatch(entry); key != nil {
			above = append(above, level{indent, key[1]})
			_, value, _ := strings.Cut(entry, ":")
			off = off || offKey.MatchString(key[1]) && strings.TrimSpace(value) != ""
		}
		if !off {
			continue
		}
		exceptions++
		if reason == 0 && !strings.Contains(entry, " # ") {
			faults = append(faults, fmt.Sprintf("%d: %q has no reason beside it", n+1, entry))
		}
	}
	return faults, exceptions
}

func TestLintFaultsAreSeen(t *testing.T) {
	for text, want := range map[string]int{
		"a:\n  disable:\n    - shadow\n":                                      1,
		"a:\n  disable:\n    - shadow # why\n    - other\n":                   1,
		"a:\n  disable:\n    # why\n    - shadow\n    - other\n":              0,
		"a:\n  # why\n  disable:\n    - shadow\n":                             0,
		"a:\n  disable:\n    # why\n    - shadow\n\n    - other\n":            1,
		"a:\n  disable:\n    # why\n    - shadow\n  presets:\n    - other\n":  1,
		"a:\n  checks:\n    - all\n    - -ST1000\n":                           1,
		"a:\n  enable:\n    - revive\n    - unused\n":                         0,
		"a:\n  rules:\n    - path: x\n      linters:\n        - revive\n":     1,
		"a:\n  rules:\n    - path: x\n      linters: [all]\n":                 1,
		"a:\n  rules:\n    - path: x\n      linters: [all] # why\n":           0,
		"a:\n  predeclared:\n    ignore: [print]\n":                           1,
		"a:\n  usetesting:\n    context-background: false\n":                  1,
		"a:\n  exclusions:\n    generated: strict\n    presets:\n      - b\n": 2,
	} {
		if faults, _ := lintFaults(text); len(faults) != want {
			t.Errorf("%q has the faults %q, want %d", text, faults, want)
		}
	}
}
