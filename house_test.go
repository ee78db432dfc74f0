package onceward_test

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house that a compiler does not hold: CONTRIBUTING.md says why.

// tree returns the files of the repository whose names end in one of the suffixes, as slash-separated paths from the root.
func tree(t *testing.T, suffixes ...string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") && name != ".ci" || name == "bin" || name == "dist") {
				return fs.SkipDir
			}
			return nil
		}
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) {
			files = append(files, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no file ends in %q: the test looks in the wrong place", suffixes)
	}
	return files
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The root module is for everybody: a driver's requirements would become its users' requirements.
func TestRootRequiresNothing(t *testing.T) {
	if match := regexp.MustCompile(`(?m)^\s*(require|replace|toolchain)\b.*`).Find(read(t, "go.mod")); match != nil {
		t.Errorf("go.mod of the root says %q; it has a module and a go line only", match)
	}
}

// "go install …@latest" refuses a module whose go.mod has a replace.
func TestNoModuleReplaces(t *testing.T) {
	for _, path := range tree(t, "go.mod") {
		if regexp.MustCompile(`(?m)^\s*(replace|exclude)\b`).Match(read(t, path)) {
			t.Errorf("%s has a replace or exclude; local modules are named in go.work", path)
		}
	}
}

// A module that go.work does not name is neither tested nor found by the others.
func TestWorkspaceNamesEveryModule(t *testing.T) {
	work := string(read(t, "go.work"))
	use, replaces, found := strings.Cut(work, "replace (")
	if !found {
		t.Fatal("go.work has no replace block")
	}
	for _, path := range tree(t, "go.mod") {
		dir := strings.TrimSuffix(strings.TrimSuffix(path, "go.mod"), "/")
		module := strings.TrimSuffix("github.com/onceward/onceward/"+dir, "/")
		name, target := "./"+dir, "./"+dir
		if dir == "" {
			name = "."
		}
		if !strings.Contains(use, "\t"+name+"\n") {
			t.Errorf("go.work: add to use: %s", name)
		}
		if !strings.Contains(replaces, "\t"+module+" v0.1.0 => "+target+"\n") {
			t.Errorf("go.work: add to replace: %s v0.1.0 => %s", module, target)
		}
	}
}

// A file that does not fit into a head is two.
func TestFilesAreShort(t *testing.T) {
	const most = 500
	for _, path := range tree(t, ".go") {
		if n := bytes.Count(read(t, path), []byte("\n")); n > most {
			t.Errorf("%s has %d lines; most is %d", path, n, most)
		}
	}
}

// forbidden are texts that must not be in the repository. They are put together so that this file does not have them.
var forbidden = []string{"TO" + "DO", "FIX" + "ME", ".." + "/shared"}

func TestForbiddenWords(t *testing.T) {
	for _, path := range tree(t, ".go", ".md", ".mod", ".work", ".yml", ".sh", "Makefile", "run", ".patch", ".sql", ".lua") {
		for _, hit := range forbiddenIn(read(t, path)) {
			t.Errorf("%s:%s", path, hit)
		}
	}
}

func forbiddenIn(text []byte) (hits []string) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		for _, word := range forbidden {
			if strings.Contains(lines.Text(), word) {
				hits = append(hits, strconv.Itoa(n)+": "+word)
			}
		}
	}
	return hits
}

func TestForbiddenWordsAreSeen(t *testing.T) {
	for _, word := range forbidden {
		if hits := forbiddenIn([]byte("fine\n// " + word + ": later\n")); len(hits) != 1 || !strings.HasPrefix(hits[0], "2: ") {
			t.Errorf("%q in line 2: found %q", word, hits)
		}
	}
}
