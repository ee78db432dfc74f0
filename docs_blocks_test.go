package onceward_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// blockImports are the packages that a block may use without an import, by their names.
var blockImports = map[string]string{
	"bytes": "bytes", "context": "context", "errors": "errors", "fmt": "fmt", "io": "io", "json": "encoding/json", "log": "log",
	"http": "net/http", "os": "os", "signal": "os/signal", "slog": "log/slog", "sql": "database/sql", "strings": "strings",
	"time":     "time",
	"onceward": modulePath, "store": modulePath + "/store", "memstore": modulePath + "/store/memstore",
	"storetest": modulePath + "/store/storetest", "pgstore": modulePath + "/store/pgstore", "mysqlstore": modulePath + "/store/mysqlstore",
	"redisstore": modulePath + "/store/redisstore", "pebblestore": modulePath + "/store/pebblestore",
	"oncehttp": modulePath + "/oncehttp", "oncegrpc": modulePath + "/oncegrpc", "retry": modulePath + "/retry", "faults": modulePath + "/faults",
	"testing": "testing", "pgx": "github.com/jackc/pgx/v5",
}

// docBlock is a ```go block of a document.
type docBlock struct {
	path   string // of the document
	line   int    // of the first line of code
	code   string
	hidden string // declarations from the comment above
}

// docBlocks finds the blocks of a document. Faults are fences that look like Go but would not be compiled.
func docBlocks(path, text string) (blocks []docBlock, faults []string) {
	lines := strings.Split(text, "\n")
	hidden := ""
	for n := 0; n < len(lines); n++ {
		line := strings.TrimSpace(lines[n])
		if comment, ok := strings.CutPrefix(line, "<!-- go:"); ok {
			for !strings.Contains(comment, "-->") && n+1 < len(lines) {
				n++
				comment += "\n" + lines[n]
			}
			hidden, _, _ = strings.Cut(comment, "-->")
			continue
		}
		info, fenced := strings.CutPrefix(line, "```")
		if !fenced {
			if line != "" {
				hidden = ""
			}
			continue
		}
		start := n + 1
		for n = start; n < len(lines) && strings.TrimSpace(lines[n]) != "```"; n++ {
		}
		switch {
		case n == len(lines):
			faults = append(faults, fmt.Sprintf("%s:%d: the block has no end", path, start))
		case info == "go":
			blocks = append(blocks, docBlock{path, start + 1, strings.Join(lines[start:n], "\n"), hidden})
		case strings.HasPrefix(strings.ToLower(info), "go"):
			faults = append(faults, fmt.Sprintf("%s:%d: ```%s: every Go block is ```go and is compiled", path, start, info))
		}
		hidden = ""
	}
	return blocks, faults
}

// folder is a name for a package of the block's own.
func (b docBlock) folder() string {
	plain := strings.NewReplacer("/", "_", ".", "_", "-", "_").Replace(strings.ToLower(b.path))
	return fmt.Sprintf("%s_%d", plain, b.line)
}

// file returns the block as a Go file whose lines the compiler reports as the document's.
func (b docBlock) file(root string) (string, error) {
	place := fmt.Sprintf("//line %s:%d\n", filepath.Join(root, b.path), b.line)
	if strings.HasPrefix(strings.TrimSpace(b.code), "package ") {
		// Only the linker would miss it, and linking every block takes seconds.
		if strings.Contains(b.code, "package main\n") && !strings.Contains(b.code, "func main()") {
			return "", fmt.Errorf("%s:%d: package main without func main", b.path, b.line)
		}
		return place + b.code + "\n", nil
	}
	own, code := splitImports(b.code)
	body := place + strings.Repeat("\n", strings.Count(own, "\n")) + code + "\n"
	if parsed, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+code, 0); err == nil && len(parsed.Decls) > 0 {
		return b.complete(place+own, body)
	}
	statements := "func _() {\n" + code + "\n}"
	parsed, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+statements, 0)
	if err != nil {
		return "", fmt.Errorf("%s:%d: neither declarations nor statements: %w", b.path, b.line, err)
	}
	f := parsed.Decls[len(parsed.Decls)-1].(*ast.FuncDecl)
	result, end := "", ""
	if returnsValue(f.Body) {
		result, end = " error", "return nil\n"
	}
	uses := ""
	for _, name := range declaredBy(f.Body) {
		uses += "_ = " + name + "\n"
	}
	return b.complete(place+own, "func _()"+result+" {\n"+body+uses+end+"}\n")
}

// complete puts the package clause, the imports and the hidden declarations around.
func (b docBlock) complete(imports, body string) (string, error) {
	used, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+b.hidden+"\n"+body, 0)
	if err != nil {
		return "", fmt.Errorf("%s:%d: %w", b.path, b.line, err)
	}
	names := map[string]bool{}
	for _, ident := range used.Unresolved {
		if what := blockImports[ident.Name]; what != "" && !strings.Contains(imports, `"`+what+`"`) {
			names[ident.Name] = true
		}
	}
	head := "package docblock\n"
	for _, name := range slices.Sorted(maps.Keys(names)) {
		head += fmt.Sprintf("import %s %q\n", name, blockImports[name])
	}
	return head + imports + "\n" + b.hidden + "\n" + body, nil
}

// splitImports cuts the import declarations off the front, with their line ends.
func splitImports(code string) (imports, rest string) {
	files := token.NewFileSet()
	const clause = "package p;"
	parsed, err := parser.ParseFile(files, "", clause+code, parser.ImportsOnly)
	if err != nil || len(parsed.Decls) == 0 {
		return "", code
	}
	end := files.Position(parsed.Decls[len(parsed.Decls)-1].End()).Offset - len(clause)
	if eol := strings.IndexByte(code[end:], '\n'); eol >= 0 {
		return code[:end+eol+1], code[end+eol+1:]
	}
	return code, ""
}

// returnsValue says whether a function body, without the functions inside of it, returns something.
func returnsValue(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if ret, ok := n.(*ast.ReturnStmt); ok && len(ret.Results) > 0 {
			found = true
		}
		_, inner := n.(*ast.FuncLit)
		return !inner
	})
	return found
}

// declaredBy lists the variables that the outermost statements declare.
func declaredBy(body *ast.BlockStmt) (names []string) {
	add := func(ident *ast.Ident) {
		if ident.Name != "_" && !slices.Contains(names, ident.Name) {
			names = append(names, ident.Name)
		}
	}
	for _, statement := range body.List {
		switch s := statement.(type) {
		case *ast.AssignStmt:
			for _, left := range s.Lhs {
				if ident, ok := left.(*ast.Ident); ok && s.Tok == token.DEFINE {
					add(ident)
				}
			}
		case *ast.DeclStmt:
			if d, ok := s.Decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
				for _, spec := range d.Specs {
					for _, ident := range spec.(*ast.ValueSpec).Names {
						add(ident)
					}
				}
			}
		}
	}
	return names
}
