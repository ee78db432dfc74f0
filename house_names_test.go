package onceward_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	stepLine  = regexp.MustCompile(`^(\d+)\. `)
	placeName = regexp.MustCompile("`([\\w./-]+\\.go):([\\w.]+)`")
)

// ARCHITECTURE.md tells one request's life in nine steps, with `file.go:Function` or `file.go:Type.Method` for each.
func TestArchitectureNamesExist(t *testing.T) {
	text := string(read(t, "ARCHITECTURE.md"))
	for _, fault := range architectureFaults(text) {
		t.Error("ARCHITECTURE.md: " + fault)
	}
}

func architectureFaults(text string) (faults []string) {
	steps, named := 0, true
	endStep := func() {
		if !named {
			faults = append(faults, fmt.Sprintf("step %d names no `file.go:Function`", steps))
		}
		named = true
	}
	for n, line := range strings.Split(text, "\n") {
		if match := stepLine.FindStringSubmatch(line); match != nil {
			endStep()
			steps++
			named = false
			if match[1] != strconv.Itoa(steps) {
				faults = append(faults, fmt.Sprintf("line %d: step %s comes as number %d", n+1, match[1], steps))
			}
		} else if strings.HasPrefix(line, "#") {
			endStep()
		}
		for _, place := range placeName.FindAllStringSubmatch(line, -1) {
			named = true
			if err := placeFault(place[1], place[2]); err != nil {
				faults = append(faults, fmt.Sprintf("line %d: %v", n+1, err))
			}
		}
	}
	endStep()
	if steps != 9 {
		faults = append(faults, fmt.Sprintf("%d numbered steps, want 9", steps))
	}
	return faults
}

// placeFault says why a file does not declare a function, method or type of that name.
func placeFault(file, name string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if slices.Contains(declared(parsed), name) {
		return nil
	}
	return fmt.Errorf("%s declares no %s", file, name)
}

// declared lists functions as Func, methods as Type.Method, and types.
func declared(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			names = append(names, name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					names = append(names, spec.Name.Name)
				}
			}
		}
	}
	return names
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr: // a generic type
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

func TestArchitectureFaultsAreSeen(t *testing.T) {
	step := "%d. A step: `store/claim.go:Claim`, `store/record.go:Record.Lapsed`.\n"
	good := ""
	for n := 1; n <= 9; n++ {
		good += fmt.Sprintf(step, n)
	}
	if faults := architectureFaults(good); len(faults) > 0 {
		t.Errorf("a good page has faults: %q", faults)
	}
	for name, bad := range map[string]string{
		"eight steps":     good[:strings.LastIndex(good, "9. ")],
		"ten steps":       good + fmt.Sprintf(step, 10),
		"no such func":    strings.Replace(good, "claim.go:Claim", "claim.go:Clame", 1),
		"no such method":  strings.Replace(good, "Record.Lapsed", "Record.Claim", 1),
		"no such file":    strings.Replace(good, "store/claim.go", "store/clam.go", 1),
		"a step says nil": strings.Replace(good, "`store/claim.go:Claim`, `store/record.go:Record.Lapsed`", "nothing", 1),
		"out of order":    strings.Replace(good, "3. ", "4. ", 1),
	} {
		if faults := architectureFaults(bad); len(faults) != 1 {
			t.Errorf("%s: faults %q, want one", name, faults)
		}
	}
}

// Every problem that a client can be sent has a section that says when it occurs and what to do: its type is a link to it.
func TestProblemsHaveSections(t *testing.T) {
	names := problemNames(t)
	if len(names) < 10 {
		t.Fatalf("only %d problems found in oncehttp/problem.go: %q", len(names), names)
	}
	text, err := os.ReadFile("docs/problems.md")
	if err != nil {
		t.Fatal(err)
	}
	var sections []string
	for _, match := range regexp.MustCompile("(?m)^## `?([a-z-]+)`?$").FindAllStringSubmatch(string(text), -1) {
		sections = append(sections, match[1])
	}
	for _, name := range names {
		if !slices.Contains(sections, name) {
			t.Errorf("docs/problems.md has no section \"## %s\"", name)
		}
	}
	for _, name := range sections {
		if !slices.Contains(names, name) {
			t.Errorf("docs/problems.md has a section %q that is no problem of oncehttp/problem.go", name)
		}
	}
}

// problemNames reads the first field of every problemKind in oncehttp/problem.go.
func problemNames(t *testing.T) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "oncehttp/problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	add := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if name, _ := strconv.Unquote(lit.Value); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	table := false // inside of a literal of problemKinds, whose elements need not name their type
	var visit func(ast.Node) bool
	visit = func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if array, ok := lit.Type.(*ast.ArrayType); ok {
			if elem, ok := array.Elt.(*ast.Ident); ok && elem.Name == "problemKind" {
				table = true
				for _, e := range lit.Elts {
					ast.Inspect(e, visit)
				}
				table = false
				return false
			}
		}
		kind, ok := lit.Type.(*ast.Ident)
		if ok && kind.Name == "problemKind" || table && lit.Type == nil && len(lit.Elts) > 0 {
			first := lit.Elts[0]
			if pair, ok := first.(*ast.KeyValueExpr); ok {
				first = pair.Value
			}
			add(first)
		}
		return true
	}
	ast.Inspect(parsed, visit)
	return names
}
