package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// shapes are functions of every kind; each returns or stores a 1 that a patch turns into a 2.
const shapes = `package shapes

const one = 1 // const

type T struct{ n int }

func plain(a int, b string) int { return 1 } // plain
func (t *T) method(_ int, rest ...string) (n int, err error) { return 1, nil } // method
func (T) unnamed(int, ...string) int { return 1 } // unnamed
func (t *T) silent() { t.n = 1 } // silent
func generic[V any](V) int { return 1 } // generic
func saved() (n int) {
	defer func() {
		recover()
		n = 1 // saved
	}()
	panic(0)
}
func twice(n int) int { return n } // twice
`

const shapesTest = `package shapes

import "testing"

func want(t *testing.T, n int) {
	t.Helper()
	if n != 1 {
		t.Error(n)
	}
}

func TestConst(t *testing.T) { want(t, one) }
func TestPlain(t *testing.T) { want(t, plain(0, "")) }
func TestMethod(t *testing.T) {
	n, _ := new(T).method(0, "a", "b")
	want(t, n)
}
func TestUnnamed(t *testing.T) { want(t, T{}.unnamed(0, "a", "b")) }
func TestSilent(t *testing.T) {
	var a T
	a.silent()
	want(t, a.n)
}
func TestGeneric(t *testing.T) { want(t, generic("")) }
func TestSaved(t *testing.T)   { want(t, saved()) }
func TestTwice(t *testing.T)   { want(t, twice(1)) }
`

// shapePatch changes the line of shapes that ends with a comment.
func shapePatch(comment, test, right, wrong string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(shapes, "\n"), "\n")
	out := fmt.Sprintf("Package: ./shapes\nRun: ^Test%s$\n\n--- a/shapes/shapes.go\n+++ b/shapes/shapes.go\n@@ -1,%d +1,%[2]d @@\n", test, len(lines))
	for _, line := range lines {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasSuffix(line, "// "+comment) {
			out += "-" + line + "\n+" + strings.Replace(line, right, wrong, 1) + "\n"
		} else {
			out += " " + line + "\n"
		}
	}
	return out
}

func TestABatchHoldsChangedFunctions(t *testing.T) {
	files := map[string]string{
		"go.work": "go 1.26\n\nuse .\n", "go.mod": "module example.org/shapes\n\ngo 1.26\n",
		"shapes/shapes.go": shapes, "shapes/shapes_test.go": shapesTest, "shapes/more.go": "package shapes\n\nfunc more() string { return \"\" }\n",
		"mutants/twice-a.patch":     shapePatch("twice", "Twice", "return n", "return n+1"),
		"mutants/twice-b.patch":     shapePatch("twice", "Twice", "return n", "return -n"),
		"mutants/twice-equal.patch": shapePatch("twice", "Twice", "return n", "return 1"),
		"mutants/const.patch":       shapePatch("const", "Const", "= 1", "= 2"),
		"mutants/silent.patch":      shapePatch("silent", "Silent", "= 1", "= 2"),
		"mutants/saved.patch":       shapePatch("saved", "Saved", "= 1", "= 2"),
	}
	for _, name := range []string{"plain", "method", "unnamed", "generic"} {
		files["mutants/"+name+".patch"] = shapePatch(name, strings.ToUpper(name[:1])+name[1:], "return 1", "return 2")
	}
	// One patch, two files: its functions are told apart.
	files["mutants/two.patch"] = files["mutants/plain.patch"] +
		"--- a/shapes/more.go\n+++ b/shapes/more.go\n@@ -1,3 +1,3 @@\n package shapes\n \n-func more() string { return \"\" }\n+func more() string { return \"more\" }\n"
	files["mutants/own.patch"] = "Binary: own\n" + files["mutants/plain.patch"]
	house(t, files)
	lab, err := newLab(time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	defer lab.close()
	for name := range files {
		if strings.HasSuffix(name, ".patch") {
			m, err := readMutant(lab.root + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			lab.mutants = append(lab.mutants, m)
		}
	}
	for i, err := range each(lab.mutants, 2, func(m mutant) error { return lab.try(m, false) }) {
		if name := lab.mutants[i].name; (err == nil) == (name == "twice-equal") {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := lab.base("./shapes")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"method", "plain", "silent", "twice-a", "twice-b", "twice-equal", "two", "unnamed"}
	if got := slices.Sorted(maps.Keys(b.holds)); !slices.Equal(got, want) {
		t.Errorf("one binary holds %q, want %q", got, want)
	}
}
