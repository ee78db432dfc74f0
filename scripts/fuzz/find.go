package main

import (
	"cmp"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// fuzzed is a package with fuzz targets.
type fuzzed struct {
	dir     string
	path    string   // as it is imported
	targets []string // sorted
}

// wanted lists the targets whose name, or whose package's directory, filter accepts.
func (p fuzzed) wanted(filter *regexp.Regexp) []string {
	return slices.DeleteFunc(slices.Clone(p.targets), func(name string) bool {
		return !filter.MatchString(filepath.ToSlash(filepath.Join(p.dir, name)))
	})
}

func count(packages []fuzzed) (targets int) {
	for _, p := range packages {
		targets += len(p.targets)
	}
	return targets
}

// findAll reads the test files of all modules.
func findAll(modules []string) ([]fuzzed, error) {
	var all []fuzzed
	for _, module := range modules {
		found, err := findIn(module)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b fuzzed) int { return cmp.Compare(a.dir, b.dir) })
	return all, nil
}

// findIn reads one module: what lies below it without belonging to it is another module, or none of the go command's business.
func findIn(module string) ([]fuzzed, error) {
	byDir := map[string][]string{}
	err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if path != module && (foreign(d.Name()) || isModule(path)) {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		names, err := targetsIn(path)
		byDir[filepath.Dir(path)] = append(byDir[filepath.Dir(path)], names...)
		return err
	})
	var found []fuzzed
	for dir, targets := range byDir {
		if len(targets) > 0 {
			slices.Sort(targets)
			found = append(found, fuzzed{dir: dir, targets: targets})
		}
	}
	return found, err
}

// foreign names what the go command does not look into ("go help packages").
func foreign(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return !errors.Is(err, fs.ErrNotExist)
}

// targetsIn lists the functions Fuzz…(*testing.F) of a file.
func targetsIn(path string) (names []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && isTarget(f) {
			names = append(names, f.Name.Name)
		}
	}
	return names, nil
}

func isTarget(f *ast.FuncDecl) bool {
	if f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") || len(f.Type.Params.List) != 1 {
		return false
	}
	pointer, ok := f.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	kind, ok := pointer.X.(*ast.SelectorExpr)
	return ok && kind.Sel.Name == "F"
}
