package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// switchName is the variable, and switchVar the environment variable, that say which mutant of a batch is alive.
const (
	switchName = "mutantAlive"
	switchVar  = "ONCEWARD_MUTANT"
)

// batch is the source of one test binary that holds many mutants: each function that a patch changes stands in it twice, and
// its first line asks which one is meant ("mutant schemata", Untch, Offutt and Harrold, 1993). Building was most of the time.
type batch struct {
	root  string
	files map[string]*batchFile // by path relative to root
	names map[string]bool       // of the mutants in it
	count int                   // of changed functions
}

// batchFile is a file of the tree with what is put into it.
type batchFile struct {
	pkg   string         // its package clause
	text  []byte         // as it is in the tree
	put   map[int]string // by offset, in place of nothing
	cut   map[int]int    // by offset: how many bytes are left out there
	after []string       // the changed functions
}

// errAlone says that a patch changes something else than the bodies of functions; such a mutant has a binary of its own.
var errAlone = errors.New("more than the body of a function")

func newBatch(root string) *batch {
	return &batch{root: root, files: map[string]*batchFile{}, names: map[string]bool{}}
}

// add takes a mutant in; patched is the folder with its changed files.
func (b *batch) add(m mutant, patched string) error {
	if m.own {
		return errAlone
	}
	added := map[string][]variant{}
	for _, file := range m.files {
		variants, err := changed(filepath.Join(b.root, file), filepath.Join(patched, file))
		if err != nil {
			return err
		}
		added[file] = variants
	}
	for file, variants := range added {
		f := b.files[file]
		if f == nil {
			text, err := os.ReadFile(filepath.Join(b.root, file))
			if err != nil {
				return err
			}
			f = &batchFile{pkg: variants[0].pkg, text: text, put: map[int]string{}, cut: map[int]int{}}
			b.files[file] = f
		}
		for _, v := range variants {
			b.count++
			f.take(m.name, fmt.Sprintf("mutant%d", b.count), v)
		}
	}
	b.names[m.name] = true
	return nil
}

// overlay writes the changed files under dir and returns the path of a file for go build's -overlay.
func (b *batch) overlay(dir string) (string, error) {
	replace := map[string]string{}
	write := func(file, text string) error {
		path := filepath.Join(dir, file)
		replace[filepath.Join(b.root, file)] = path
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	}
	for _, file := range slices.Sorted(maps.Keys(b.files)) {
		f := b.files[file]
		alive := fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar %s = os.Getenv(%q)\n", f.pkg, switchName, switchVar)
		if err := errors.Join(write(file, f.String()), write(filepath.Join(filepath.Dir(file), "mutant_alive.go"), alive)); err != nil {
			return "", err
		}
	}
	return writeOverlay(dir, replace)
}

// variant is a function that a patch has changed.
type variant struct {
	pkg    string
	body   int            // offset in the tree's file just behind the function's brace
	call   string         // "return s.%s(a, b)"
	named  map[int]string // offset of an unnamed parameter's type: the name that it gets
	blanks map[int]string // offset of a parameter called _: the name that it gets
	before string         // the changed function, up to its name
	after  string         // and from there
}

func (f *batchFile) take(mutant, name string, v variant) {
	f.put[v.body] += fmt.Sprintf(" if %s == %q { "+v.call+" };", switchName, mutant, name)
	maps.Copy(f.put, v.named)
	for at, name := range v.blanks {
		f.put[at], f.cut[at] = name, 1
	}
	f.after = append(f.after, "\n"+v.before+name+v.after+"\n")
}

func (f *batchFile) String() string {
	var out strings.Builder
	from := 0
	for _, at := range slices.Sorted(maps.Keys(f.put)) {
		out.Write(f.text[from:at])
		out.WriteString(f.put[at])
		from = at + f.cut[at]
	}
	out.Write(f.text[from:])
	for _, function := range f.after {
		out.WriteString(function)
	}
	return out.String()
}

// parsed is a parsed file.
type parsed struct {
	*ast.File
	text  []byte
	start token.Pos
}

func parse(path string) (parsed, error) {
	text, err := os.ReadFile(path)
	if err != nil || filepath.Ext(path) != ".go" {
		return parsed{}, errors.Join(errAlone, err)
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return parsed{}, errors.Join(errAlone, err)
	}
	return parsed{tree, text, tree.FileStart}, nil
}

func (s parsed) at(p token.Pos) int                { return int(p - s.start) }
func (s parsed) between(from, to token.Pos) string { return string(s.text[s.at(from):s.at(to)]) }
func (s parsed) signature(f *ast.FuncDecl) string  { return s.between(f.Pos(), f.Body.Lbrace) }
func (s parsed) whole(d ast.Decl) string           { return s.between(d.Pos(), d.End()) }
func (s parsed) switchable(f *ast.FuncDecl) bool {
	return f.Type.TypeParams == nil && !bytes.Contains([]byte(s.whole(f)), []byte("recover()"))
}

// changed compares two versions of a file, declaration by declaration.
func changed(before, after string) ([]variant, error) {
	was, err := parse(before)
	if err != nil {
		return nil, err
	}
	is, err := parse(after)
	if err != nil {
		return nil, err
	}
	if len(was.Decls) != len(is.Decls) {
		return nil, errAlone
	}
	var variants []variant
	for i, d := range was.Decls {
		if was.whole(d) == is.whole(is.Decls[i]) {
			continue
		}
		a, isFunction := d.(*ast.FuncDecl)
		b, still := is.Decls[i].(*ast.FuncDecl)
		// A function that recovers has to be the deferred one itself.
		if !isFunction || !still || a.Body == nil || b.Body == nil || was.signature(a) != is.signature(b) || !was.switchable(a) || !is.switchable(b) {
			return nil, errAlone
		}
		variants = append(variants, was.variant(a, is, b))
	}
	if len(variants) == 0 {
		return nil, errAlone // a comment that is no comment: go:embed, build tags
	}
	return variants, nil
}

// variant makes what lets a call of a go to b.
func (s parsed) variant(a *ast.FuncDecl, other parsed, b *ast.FuncDecl) variant {
	v := variant{
		pkg: s.Name.Name, body: s.at(a.Body.Lbrace) + 1, named: map[int]string{}, blanks: map[int]string{},
		before: other.between(b.Pos(), b.Name.Pos()), after: other.between(b.Name.End(), b.End()),
	}
	args := s.names(a.Type.Params, &v)
	v.call = "%s(" + strings.Join(args, ", ") + ")"
	if a.Recv != nil {
		v.call = s.names(a.Recv, &v)[0] + "." + v.call
	}
	if a.Type.Results != nil && len(a.Type.Results.List) > 0 {
		v.call = "return " + v.call
	} else {
		v.call += "; return"
	}
	return v
}

// names returns what a call is to pass on, and gives a name to the parameters that have none.
func (s parsed) names(fields *ast.FieldList, v *variant) (names []string) {
	fresh := func() string { return fmt.Sprintf("mutantArg%d", len(v.named)+len(v.blanks)) }
	for _, field := range fields.List {
		spread := ""
		if _, variadic := field.Type.(*ast.Ellipsis); variadic {
			spread = "..."
		}
		if len(field.Names) == 0 {
			name := fresh()
			v.named[s.at(field.Type.Pos())] = name + " "
			names = append(names, name+spread)
		}
		for _, ident := range field.Names {
			name := ident.Name
			if name == "_" {
				name = fresh()
				v.blanks[s.at(ident.Pos())] = name
			}
			names = append(names, name+spread)
		}
	}
	return names
}
