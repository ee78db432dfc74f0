package onceward_test

import (
	"go/parser"
	"go/token"
	"path"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/onceward/onceward"

// A rule says what of ours the packages in a folder may import. Imports go down only: the store knows nobody, a transport
// knows no driver, a driver knows no transport, and only commands and examples choose a store.
type importRule struct {
	dir     string   // a folder from the root; "/…" at its end: and everything below; "*": any one name
	may     []string // folders from the root, in the same notation
	foreign bool     // third-party packages are allowed: the folder is in a module of its own
	testing bool     // package testing is allowed outside of test files
}

const anything = "…" // as an element of may

// importTable holds the picture in ARCHITECTURE.md. The first row that fits a folder counts.
var importTable = []importRule{
	{dir: "store"},
	{dir: "store/internal/…", may: []string{"store"}},
	{dir: "store/storetest/…", may: []string{"store", "store/storetest/…"}, testing: true},
	{dir: "store/memstore/…", may: []string{".", "store"}},
	{dir: "store/*/…", may: []string{".", "store", "store/internal/…"}, foreign: true}, // drivers
	{dir: ".", may: []string{"store"}},
	{dir: "retry", may: []string{"."}},
	{dir: "faults"},
	{dir: "oncehttp/…", may: []string{".", "store", "retry"}}, // store: the admin API shows records
	{dir: "oncegrpc/…", may: []string{".", "retry"}, foreign: true},
	{dir: "oncegin/…", may: []string{".", "oncehttp"}, foreign: true},
	{dir: "sidecar/…", may: []string{".", "store", "retry", "oncehttp", "sidecar/…"}, foreign: true},
	{dir: "scripts/…", may: []string{anything}}, // tools and generators; nobody imports them
	{dir: "cmd/…", may: []string{anything}, foreign: true},
	{dir: "examples/…", may: []string{anything}, foreign: true},
	{dir: "bench/…", may: []string{anything}, foreign: true},
	{dir: "compat/…", may: []string{anything}, foreign: true},
}

// fits says whether a folder is one that pattern names.
func fits(pattern, dir string) bool {
	base, below := strings.CutSuffix(pattern, "/…")
	names, want := strings.Split(dir, "/"), strings.Split(base, "/")
	if len(names) < len(want) || !below && len(names) > len(want) {
		return false
	}
	for i, w := range want {
		if w != names[i] && w != "*" {
			return false
		}
	}
	return true
}

// importFault says what is wrong with a package in dir importing what, or "".
func importFault(dir, what string) string {
	for _, rule := range importTable {
		if fits(rule.dir, dir) {
			return rule.fault(dir, what)
		}
	}
	return "no row of importTable is for this folder; add one"
}

func (r importRule) fault(dir, what string) string {
	ours, isOurs := strings.CutPrefix(what, modulePath)
	first, _, _ := strings.Cut(what, "/")
	switch {
	case first == "testing":
		if !r.testing {
			return "only store/storetest and test files import testing"
		}
	case isOurs:
		ours = strings.TrimPrefix(ours, "/")
		if ours == "" {
			ours = "."
		}
		if fits(path.Join(dir, "internal")+"/…", ours) {
			return ""
		}
		for _, may := range r.may {
			if may == anything || fits(may, ours) {
				return ""
			}
		}
		return "imports go down only, see importTable"
	case strings.Contains(first, ".") && !r.foreign:
		return "this module uses the standard library only"
	}
	return ""
}

func TestImportTable(t *testing.T) {
	seen := 0
	for _, file := range tree(t, ".go") {
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/testdata/") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, spec := range parsed.Imports {
			what, _ := strconv.Unquote(spec.Path.Value)
			seen++
			if fault := importFault(path.Dir(file), what); fault != "" {
				t.Errorf("%s imports %s: %s", file, what, fault)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d imports seen: the test looks in the wrong place", seen)
	}
}

// The table forbids something: each of these imports would turn the house upside down.
func TestImportTableForbids(t *testing.T) {
	for _, c := range []struct {
		dir, what string
		ok        bool
	}{
		{"store", "time", true},
		{"store", modulePath, false},
		{"store", modulePath + "/store/memstore", false},
		{"store", "testing", false},
		{"store/storetest", "testing", true},
		{"store/storetest/broken", modulePath + "/store/storetest", true},
		{"store/storetest", modulePath + "/store/memstore", false},
		{"store/memstore", modulePath + "/store", true},
		{"store/memstore", "github.com/jackc/pgx/v5", false},
		{"store/pgstore", "github.com/jackc/pgx/v5", true},
		{"store/pgstore", modulePath + "/store/memstore", false},
		{"store/pgstore", modulePath + "/oncehttp", false},
		{"store/pgstore", modulePath + "/store/pgstore/internal/sql", true},
		{".", modulePath + "/store", true},
		{".", modulePath + "/store/memstore", false},
		{".", modulePath + "/retry", false},
		{".", "testing/synctest", false},
		{"retry", modulePath, true},
		{"retry", modulePath + "/oncehttp", false},
		{"faults", modulePath, false},
		{"oncehttp", modulePath + "/retry", true},
		{"oncehttp", modulePath + "/store/memstore", false},
		{"oncehttp", "golang.org/x/net/http2", false},
		{"sidecar", modulePath + "/store/pebblestore", false},
		{"cmd/onceward", modulePath + "/store/memstore", true},
		{"cmd/onceward", "github.com/spf13/cobra", true},
		{"cmd/onceward", "testing", false},
		{"somewhere", "time", false},
	} {
		if fault := importFault(c.dir, c.what); (fault == "") != c.ok {
			t.Errorf("%s importing %s: %q, want allowed = %v", c.dir, c.what, fault, c.ok)
		}
	}
}
