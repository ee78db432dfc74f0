package onceward_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var problemHead = regexp.MustCompile(`^(\d{3})( \+ .Retry-After.)? · `)

// Each section of docs/problems.md opens with the status that the server sends, and says what its reader is to do.
func TestProblemSectionsAreWhole(t *testing.T) {
	statuses := problemStatuses(t)
	sections := strings.Split(string(read(t, "docs/problems.md")), "\n## ")[1:]
	for _, section := range sections {
		name, text, _ := strings.Cut(section, "\n\n")
		if fault := problemFault(text, statuses[name]); fault != "" {
			t.Errorf("docs/problems.md, %s: %s", name, fault)
		}
	}
	if len(sections) != len(statuses) {
		t.Errorf("%d sections, %d problems", len(sections), len(statuses))
	}
	good := "409 + `Retry-After` · false · It runs.\n**Client:** wait. **Owner:** nothing."
	for text, ok := range map[string]bool{
		good: true, strings.Replace(good, "409", "410", 1): false, strings.Replace(good, " · ", " ", 1): false,
		strings.Replace(good, "Client", "Server", 1): false, strings.Replace(good, "Owner", "Person", 1): false,
	} {
		if fault := problemFault(text, http.StatusConflict); (fault == "") != ok {
			t.Errorf("%q: found %q", text, fault)
		}
	}
}

func problemFault(text string, status int) string {
	head := problemHead.FindStringSubmatch(text)
	switch {
	case head == nil:
		return "it does not begin with its status"
	case head[1] != strconv.Itoa(status):
		return "it says " + head[1] + ", the server sends " + strconv.Itoa(status)
	case !strings.Contains(text, "**Client:** "):
		return "it does not tell the client what to do"
	case !strings.Contains(text, "**Owner:** "):
		return "it does not tell the owner what to do"
	}
	return ""
}

// statusByName are the constants of net/http that the table of problems uses.
var statusByName = map[string]int{
	"StatusBadRequest": 400, "StatusForbidden": 403, "StatusConflict": 409, "StatusGone": 410, "StatusRequestEntityTooLarge": 413,
	"StatusUnprocessableEntity": 422, "StatusInternalServerError": 500, "StatusServiceUnavailable": 503,
}

// problemStatuses reads name and status of every problemKind in oncehttp/problem.go: a literal that has one text and one http.Status….
func problemStatuses(t *testing.T) map[string]int {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "oncehttp/problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[string]int{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		name, status := "", ""
		for _, e := range lit.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				e = pair.Value
			}
			switch e := e.(type) {
			case *ast.BasicLit:
				name, _ = strconv.Unquote(e.Value)
			case *ast.SelectorExpr:
				if e.X.(*ast.Ident).Name == "http" {
					status = e.Sel.Name
				}
			}
		}
		if name == "" || status == "" {
			return true
		}
		if statusByName[status] == 0 {
			t.Errorf("statusByName has no http.%s", status)
		}
		statuses[name] = statusByName[status]
		return false
	})
	return statuses
}
