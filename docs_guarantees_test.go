package onceward_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testInText   = regexp.MustCompile("`([\\w/]+)\\.((?:Test|Fuzz|Example)\\w*)`")
	anyInText    = regexp.MustCompile("`([^`]+)`")
	clauseInText = regexp.MustCompile(`\b[ACDGLPSTWX]\d{1,2}\b`)
	mutantHead   = regexp.MustCompile(`(?m)^Package: \./?(\S*)\nRun: (.+)$`)
)

// promise is a section of docs/guarantees.md.
type promise struct {
	name                          string
	assumes, held, broken, endsAt string
}

// promises reads the sections below "## The server" and "## The client": a headline, a text and four points.
func promises(text string) (all []promise) {
	text, _, _ = strings.Cut(text, "\n## What is not promised")
	for _, section := range strings.Split(text, "\n### ")[1:] {
		section, _, _ = strings.Cut(section, "\n## ")
		name, text, _ := strings.Cut(section, "\n")
		p := promise{name: name}
		for _, point := range strings.Split(text, "\n* **")[1:] {
			label, rest, _ := strings.Cut(strings.Join(strings.Fields(point), " "), ":** ")
			switch label {
			case "Assumes":
				p.assumes = rest
			case "Held by":
				p.held = rest
			case "Broken by":
				p.broken = rest
			case "Ends at":
				p.endsAt = rest
			}
		}
		all = append(all, p)
	}
	return all
}

// evidence is what the repository has to name.
type evidence struct {
	tests   []string            // folder.TestName
	clauses []string            // of the conformance suite
	mutants map[string][]string // by name: package and expression
}

// faults says what is missing of a promise.
func (e evidence) faults(p promise) (faults []string) {
	held := testInText.FindAllStringSubmatch(p.held, -1)
	ends := testInText.FindAllStringSubmatch(p.endsAt, -1)
	if p.assumes == "" {
		faults = append(faults, "no assumption; if there is none, say so")
	}
	if len(held) == 0 {
		faults = append(faults, "no test holds it")
	}
	if len(ends) == 0 && !strings.HasPrefix(p.endsAt, "none known") {
		faults = append(faults, "no test shows where it ends; write one, or \"none known\" and why")
	}
	for _, m := range slices.Concat(held, ends) {
		if !slices.Contains(e.tests, m[1]+"."+m[2]) {
			faults = append(faults, "there is no test "+m[1]+"."+m[2])
		}
	}
	for _, clause := range clauseInText.FindAllString(p.held, -1) {
		if !slices.Contains(e.clauses, clause) {
			faults = append(faults, "the conformance suite has no case of "+clause)
		}
	}
	return append(faults, e.mutantFaults(p, held)...)
}

func (e evidence) mutantFaults(p promise, held [][]string) (faults []string) {
	named := anyInText.FindAllStringSubmatch(p.broken, -1)
	if len(named) == 0 && !strings.HasPrefix(p.broken, "none: ") {
		faults = append(faults, "no mutant breaks it; write one, or \"none: \" and why")
	}
	for _, m := range named {
		mutant, ok := e.mutants[m[1]]
		if !ok {
			faults = append(faults, "there is no mutant "+m[1])
			continue
		}
		killer, err := regexp.Compile(strings.Split(mutant[1], "/")[0])
		kills := func(h []string) bool { return h[1] == mutant[0] && err == nil && killer.MatchString(h[2]) }
		if !slices.ContainsFunc(held, kills) {
			faults = append(faults, "mutant "+m[1]+" is killed by "+mutant[0]+" "+mutant[1]+", which does not stand at \"Held by\"")
		}
	}
	return faults
}

// gather looks through the tree, all modules included.
func gather(t *testing.T) evidence {
	t.Helper()
	e := evidence{mutants: map[string][]string{}}
	for _, file := range tree(t, "_test.go") {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && regexp.MustCompile(`^(Test|Fuzz|Example)`).MatchString(f.Name.Name) {
				e.tests = append(e.tests, folderName(path.Dir(file))+"."+f.Name.Name)
			}
		}
	}
	for _, file := range tree(t, ".go") {
		if path.Dir(file) == "store/storetest" {
			for _, m := range regexp.MustCompile(`\{"([A-Z]\d{1,2})_`).FindAllStringSubmatch(string(read(t, file)), -1) {
				e.clauses = append(e.clauses, m[1])
			}
		}
	}
	for _, file := range tree(t, ".patch") {
		head := mutantHead.FindStringSubmatch(string(read(t, file)))
		if head == nil {
			t.Fatalf("%s has no Package and Run", file)
		}
		e.mutants[strings.TrimSuffix(path.Base(file), ".patch")] = []string{folderName(path.Clean(head[1])), head[2]}
	}
	return e
}

// folderName is how the page names a folder.
func folderName(dir string) string {
	if dir == "." {
		return "onceward"
	}
	return dir
}

// Each promise names its assumption, the tests that hold it, the mutants that break it and the tests that show where it ends; all of them exist. And
// each test that shows a limit stands in the page.
func TestGuaranteesAreEvident(t *testing.T) {
	if _, err := os.Stat("go.work"); err != nil {
		t.Skip("no go.work: this is a copy without the other modules")
	}
	text, e := string(read(t, "docs/guarantees.md")), gather(t)
	all := promises(text)
	if len(all) < 25 || len(e.tests) < 300 || len(e.clauses) < 50 || len(e.mutants) < 100 {
		t.Fatalf("%d promises, %d tests, %d clauses, %d mutants: the test looks in the wrong place", len(all), len(e.tests), len(e.clauses), len(e.mutants))
	}
	for _, p := range all {
		for _, fault := range e.faults(p) {
			t.Errorf("docs/guarantees.md, %q: %s", p.name, fault)
		}
	}
	for _, name := range e.tests {
		if strings.Contains(name, ".TestLimit") && !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/guarantees.md does not name %s", name)
		}
	}
}

func TestGuaranteesAreEvidentSeesWhatIsMissing(t *testing.T) {
	e := evidence{
		tests: []string{"store.TestHolds", "store.TestLimitOfIt"}, clauses: []string{"C1"},
		mutants: map[string][]string{"it-holds": {"store", "^TestHolds$/^C1_"}, "else": {"onceward", "^TestHolds$"}},
	}
	good := "# G\n\n## The server\n\n### It holds\n\nText.\n\n* **Assumes:** nothing.\n* **Held by:** `store.TestHolds` (C1)\n* **Broken by:** `it-holds`\n* **Ends at:** here:\n  `store.TestLimitOfIt`\n\n## What is not promised\n"
	for change, want := range map[string]int{
		"":                                0,
		"* **Assumes:** nothing.\n":       1,
		"`store.TestHolds` (C1)":          2, // and nothing kills the mutant
		"`it-holds`":                      1,
		"\n  `store.TestLimitOfIt`":       1,
		"TestLimit=TestLimits":            1,
		"TestHolds` (C1)=TestHolds` (C2)": 1,
		"`it-holds`=`it-does-not`":        1,
		"`it-holds`=`else`":               1,
		"here:\n  `store.TestLimitOfIt`=none known: why": 0,
		"`it-holds`=none: why":                           0,
	} {
		from, to, _ := strings.Cut(change, "=")
		all := promises(strings.Replace(good, from, to, 1))
		if len(all) != 1 {
			t.Fatalf("%d promises", len(all))
		}
		if faults := e.faults(all[0]); len(faults) != want {
			t.Errorf("%q: faults %q, want %d", change, faults, want)
		}
	}
}
