package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// house writes a small workspace with two modules: targets that hold, one that fails, and what only looks like one.
func house(t *testing.T, more map[string]string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("GOWORK", "") // find the one in dir
	const header = "package add\n\nimport \"testing\"\n\n"
	files := map[string]string{
		"go.work":             "go 1.26\n\nuse (\n\t.\n\t./other\n)\n",
		"go.mod":              "module example.org/a/add\n\ngo 1.26\n",
		"add_test.go":         header + "func FuzzHolds(f *testing.F) { f.Fuzz(func(*testing.T, string) {}) }\n\nfunc Fuzzy(t *testing.T) {}\n\nfunc TestFuzz(t *testing.T) {}\n",
		"other/go.mod":        "module example.org/a/add/other\n\ngo 1.26\n",
		"other/add_test.go":   header + "func FuzzOther(f *testing.F) { f.Fuzz(func(*testing.T, []byte) {}) }\n\nfunc FuzzAnother(f *testing.F) { f.Fuzz(func(*testing.T, int) {}) }\n",
		"other/fails_test.go": header + "func FuzzFails(f *testing.F) { f.Fuzz(func(t *testing.T, n int) { if n != 0 { t.Fatal(n) } }) }\n",
		"testdata/a_test.go":  header + "func FuzzForeign(f *testing.F) {}\n",
		"stray/go.mod":        "module example.org/a/stray\n\ngo 1.26\n",
		"stray/add_test.go":   header + "func FuzzStray(f *testing.F) {}\n",
	}
	for name, text := range more {
		files[name] = text
	}
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

func setUp(t *testing.T) *lab {
	t.Helper()
	lab, err := newLab("200x")
	if err != nil {
		t.Fatal(err)
	}
	lab.cache = t.TempDir()
	t.Cleanup(lab.close)
	return lab
}

func TestFindsTheTargetsOfEveryModule(t *testing.T) {
	house(t, nil)
	packages, err := findAll(setUp(t).modules)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range packages {
		names = append(names, p.targets...)
	}
	if want := []string{"FuzzHolds", "FuzzAnother", "FuzzFails", "FuzzOther"}; !slices.Equal(names, want) || count(packages) != len(want) {
		t.Errorf("found %q, want %q", names, want)
	}
}

func TestRunsWhatItFinds(t *testing.T) {
	house(t, nil)
	lab := setUp(t)
	var log strings.Builder
	if err := fuzzAll(&log, lab, "/Fuzz(Holds|Other)$"); err != nil {
		t.Errorf("two targets that hold: %v\n%s", err, log.String())
	}
	if out := log.String(); strings.Count(out, "ok  ") != 2 || !strings.Contains(out, "2 targets of 4 ran") {
		t.Errorf("it says:\n%s", out)
	}
	if _, err := os.Stat("testdata/fuzz"); err == nil {
		t.Error("it has left files in the tree")
	}
	log.Reset()
	err := fuzzAll(&log, lab, "Fuzz(Fails|Another)")
	if err == nil || !strings.Contains(err.Error(), "1 of 2 targets failed") || !strings.Contains(log.String(), "commit it") {
		t.Errorf("a target that fails: %v\n%s", err, log.String())
	}
	if inputs, _ := filepath.Glob("other/testdata/fuzz/FuzzFails/*"); len(inputs) != 1 {
		t.Errorf("the failing input is not in the tree: %q", inputs)
	}
	if err := fuzzAll(&log, lab, "FuzzNothing"); err == nil {
		t.Error("no target has this name, and nobody minds")
	}
}

// A target that the source has and no build knows would never run.
func TestNoticesATargetBehindATag(t *testing.T) {
	house(t, map[string]string{"tag_test.go": "//go:build never\n\npackage add\n\nimport \"testing\"\n\nfunc FuzzHidden(f *testing.F) {}\n"})
	var log strings.Builder
	if err := fuzzAll(&log, setUp(t), "FuzzHolds"); err == nil || !strings.Contains(err.Error(), "FuzzHidden") {
		t.Errorf("%v\n%s", err, log.String())
	}
}

// What the real repository has. A target that is renamed away, or a folder that is no longer looked into, shows here.
func TestSeesTheRepository(t *testing.T) {
	lab := setUp(t)
	packages, err := findAll(lab.modules)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d targets in %d packages of %d modules", count(packages), len(packages), len(lab.modules))
	if count(packages) < 26 {
		t.Errorf("only %d targets found", count(packages))
	}
	for _, dir := range []string{"retry", "store", "oncehttp", "store/memstore", "compat/encodings", "cmd/onceward/internal/faultproxy"} {
		if !slices.ContainsFunc(packages, func(p fuzzed) bool { return strings.HasSuffix(filepath.ToSlash(p.dir), "/"+dir) }) {
			t.Errorf("no target found in %s", dir)
		}
	}
}
