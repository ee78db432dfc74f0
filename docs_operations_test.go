package onceward_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The table of alarms in docs/operations.md has each Alarm constant of observer.go once, and no other.
func TestOperationsTellsEveryAlarm(t *testing.T) {
	alarms := alarmNames(t)
	text := string(read(t, "docs/operations.md"))
	_, table, _ := strings.Cut(text, "| alarm | what it means | what to do |")
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\S.* \\| \\S.* \\|$").FindAllStringSubmatch(table, -1) {
		rows = append(rows, row[1])
	}
	slices.Sort(alarms)
	slices.Sort(rows)
	if len(alarms) < 5 || !slices.Equal(alarms, rows) {
		t.Errorf("docs/operations.md has the alarms\n%q\nobserver.go has\n%q", rows, alarms)
	}
}

// alarmNames reads the values of the constants of type Alarm.
func alarmNames(t *testing.T) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "observer.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Alarm" {
			for _, value := range spec.Values {
				name, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
			}
		}
		return true
	})
	return names
}

var linkInText = regexp.MustCompile(`\]\(([\w./-]*)#([\w-]+)\)`)

// A link to a section of a document leads to one.
func TestDocsLinksToSections(t *testing.T) {
	seen := 0
	for _, path := range tree(t, ".md") {
		dir, _ := filepath.Split(path)
		for _, link := range linkInText.FindAllStringSubmatch(string(read(t, path)), -1) {
			target := path
			if link[1] != "" {
				target = filepath.ToSlash(filepath.Join(dir, link[1]))
			}
			seen++
			if !slices.Contains(sectionsOf(string(read(t, target))), link[2]) {
				t.Errorf("%s: there is no section %q in %s", path, link[2], target)
			}
		}
	}
	if seen < 5 {
		t.Errorf("only %d links seen: the test looks in the wrong place", seen)
	}
}

// sectionsOf lists the anchors of a page's headlines, as GitHub makes them.
func sectionsOf(text string) (anchors []string) {
	for _, line := range strings.Split(text, "\n") {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			plain := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(title), "")
			anchors = append(anchors, strings.ReplaceAll(plain, " ", "-"))
		}
	}
	return anchors
}
