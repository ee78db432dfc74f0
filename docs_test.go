package onceward_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every ```go block of the documents is compiled, so that no reader copies code that never worked.
//
//   - A block that starts with a package clause is a whole file.
//   - A block of declarations is completed with a package clause and imports, a block of statements with a function around it
//     as well. Imports are those of blockImports that the block uses.
//   - What a block needs but does not show is declared in a comment directly above it, which readers do not see:
//     <!-- go: var mux *http.ServeMux -->
//     Several lines are possible. The declarations stand at package level.
//   - Variables that statements declare and do not use are fine.
//
// docs/decisions may show code that was rejected, so it is left out.
func TestDocsCompile(t *testing.T) {
	if _, err := os.Stat("go.work"); err != nil {
		t.Skip("no go.work: this is a copy without the other modules")
	}
	var blocks []docBlock
	var faults []string
	for _, path := range tree(t, ".md") {
		if strings.HasPrefix(path, "docs/decisions/") || strings.Contains(path, "/testdata/") {
			continue
		}
		found, bad := docBlocks(path, string(read(t, path)))
		blocks, faults = append(blocks, found...), append(faults, bad...)
	}
	if len(faults) > 0 {
		t.Error(strings.Join(faults, "\n"))
	}
	if out := compileBlocks(t, blocks); out != "" {
		t.Error(out)
	}
	t.Logf("%d blocks", len(blocks))
}

// compileBlocks type-checks all blocks with one go command and returns what it complains of, by the documents' lines.
func compileBlocks(t *testing.T, blocks []docBlock) string {
	t.Helper()
	if len(blocks) == 0 {
		return ""
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	// The files exist only in an overlay: inside of the module, where imports are found, and not in the tree.
	replace := map[string]string{}
	args := []string{"list", "-export", "-overlay", filepath.Join(temp, "overlay.json")}
	var complaints []string
	for _, b := range blocks {
		text, err := b.file(root)
		if err != nil {
			complaints = append(complaints, err.Error())
			continue
		}
		name := b.folder()
		file := filepath.Join(temp, name+".go")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, "docblocks", name, "block.go")] = file
		args = append(args, "./docblocks/"+name)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(temp, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // no C compiler is needed, also where race tests run
	if out, err := cmd.CombinedOutput(); err != nil {
		listed := func(line string) bool { return strings.Contains(line, modulePath+"/docblocks/") }
		lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(out)), "\n"), listed)
		complaints = append(complaints, strings.Join(append(lines, err.Error()), "\n"))
	}
	return strings.Join(complaints, "\n")
}

// Broken blocks are caught, at their lines; good ones of every form are not.
func TestDocsCompileCatchesBrokenBlocks(t *testing.T) {
	fence := "```"
	page := strings.Join([]string{
		"# Page", // line 1
		fence + "go", "package main", "", `import "fmt"`, "", `func main() { fmt.Println("whole") }`, fence,
		"<!-- go: var mux *http.ServeMux -->",
		fence + "go", `mux.Handle("/", http.NotFoundHandler())`, "n := 1", "_, err := os.Stat(\"x\")", fence,
		fence + "go", "func f() error { return errors.New(\"declared\") }", fence,
		fence + "go", `if _, err := os.Stat("x"); err != nil {`, "\treturn err", "}", fence,
		fence + "sh", "not go at all", fence,
	}, "\n")
	blocks, faults := docBlocks("page.md", page)
	if len(blocks) != 4 || len(faults) > 0 {
		t.Fatalf("found %d blocks, want 4; faults %q", len(blocks), faults)
	}
	if out := compileBlocks(t, blocks); out != "" {
		t.Errorf("good blocks: %s", out)
	}

	broken := map[string]string{ // what the block says in its lines 3 and 4: what the complaint says
		"x := 1\nundefinedName(x)":                      "page.md:4",
		"var x int = \"text\"\n":                        "page.md:3",
		"package main\nimport \"os\"\nfunc main() {}":   "page.md:4",
		"import \"example.invalid/nowhere\"\nvar x int": "page.md:3",
		"x := (\ny":               "page.md:",
		"package main\nvar x = 1": "page.md:3",
	}
	for code, want := range broken {
		blocks, _ := docBlocks("page.md", "\n"+fence+"go\n"+code+"\n"+fence+"\n")
		if out := compileBlocks(t, blocks); !strings.Contains(out, want) {
			t.Errorf("the block\n%s\ncomplains\n%s\nwant one that has %q", code, out, want)
		}
	}
	for _, info := range []string{"go ignore", "Go", "golang"} {
		if _, faults := docBlocks("page.md", fence+info+"\nx\n"+fence); len(faults) != 1 {
			t.Errorf("a block ```%s is let through", info)
		}
	}
	if _, faults := docBlocks("page.md", "text\n"+fence+"go\nx := 1"); len(faults) != 1 {
		t.Error("a block without an end is let through")
	}
}
