package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// house writes a small repository: a function, a good test and a blind one, and patches of every fate.
func house(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("GOWORK", "") // find the one in dir
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	source = "package add\n\nfunc Add(a, b int) int {\n\treturn a + b\n}\n"
	tests  = "package add\n\nimport \"testing\"\n\n" +
		"func TestSum(t *testing.T) {\n\tif Add(2, 3) != 5 {\n\t\tt.Error()\n\t}\n}\n\n" +
		"func TestBlind(*testing.T) { Add(2, 3) }\n\n" +
		"func TestRed(t *testing.T) { t.Error() }\n"
)

// patch replaces the line that Add returns.
func patch(run, old, line string) string {
	return "Package: ./add\nRun: " + run + "\n\nText.\n\n--- a/add/add.go\n+++ b/add/add.go\n@@ -1,5 +1,5 @@\n package add\n \n func Add(a, b int) int {\n-" +
		old + "\n+" + line + "\n }\n"
}

func TestFates(t *testing.T) {
	right, wrong := "\treturn a + b", "\treturn a - b"
	fates := map[string]struct{ patch, fate string }{
		"killed":       {patch("^TestSum$", right, wrong), ""},
		"panics":       {patch("^TestSum$", right, "\tpanic(a)"), ""},
		"survives":     {patch("^TestBlind$", right, wrong), "SURVIVED"},
		"stale":        {patch("^TestSum$", "\treturn b + a", wrong), "does not apply"},
		"no code":      {patch("^TestSum$", right, "\treturn c"), "does not compile"},
		"no test":      {patch("^TestNone$", right, wrong), "no test is called"},
		"red anyway":   {patch("^TestRed$", right, wrong), "fails without a patch"},
		"same old sum": {patch("^TestSum$", right, "\treturn b + a"), "SURVIVED"},
	}
	files := map[string]string{
		"go.work": "go 1.26\n\nuse .\n", "go.mod": "module example.org/add\n\ngo 1.26\n", "add/add.go": source, "add/add_test.go": tests,
	}
	for name, f := range fates {
		files["mutants/"+name+".patch"] = f.patch
	}
	house(t, files)
	lab, err := newLab(time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	defer lab.close()
	var mutants []mutant
	for name := range fates {
		m, err := readMutant(filepath.Join(lab.root, "mutants", name+".patch"))
		if err != nil {
			t.Fatal(err)
		}
		mutants = append(mutants, m)
	}
	lab.mutants = mutants
	for i, err := range each(mutants, 2, func(m mutant) error { return lab.try(m, false) }) {
		name, want := mutants[i].name, fates[mutants[i].name]
		switch {
		case want.fate == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case want.fate != "" && (err == nil || !strings.Contains(err.Error(), want.fate)):
			t.Errorf("%s: %v, want %q", name, err, want.fate)
		}
	}
	if text, _ := os.ReadFile("add/add.go"); string(text) != source {
		t.Error("a patch reached the working tree")
	}
	if err := tryAll(lab, "killed", 2); err != nil {
		t.Error(err)
	}
	for _, only := range []string{"killed|stale", "nothing has this name"} {
		if err := tryAll(lab, only, 2); err == nil {
			t.Errorf("mutants %s: no error", only)
		}
	}
}

func TestReadMutantWantsItsHeader(t *testing.T) {
	whole := patch("^TestSum$", "x", "y")
	house(t, map[string]string{
		"whole.patch":   whole,
		"package.patch": strings.Replace(whole, "Package: ./add\n", "", 1),
		"run.patch":     strings.Replace(whole, "Run: ^TestSum$\n", "", 1),
		"diff.patch":    "Package: ./add\nRun: ^TestSum$\n",
	})
	if m, err := readMutant("whole.patch"); err != nil || m.pkg != "./add" || m.run != "^TestSum$" || len(m.files) != 1 {
		t.Errorf("read %+v, %v", m, err)
	}
	for _, name := range []string{"package.patch", "run.patch", "diff.patch"} {
		if _, err := readMutant(name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
