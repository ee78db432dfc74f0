package comparison

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onceward/onceward/bench/behave"
	"github.com/onceward/onceward/bench/behave/contract"
)

// columns are two targets of which the second fails one case.
func columns() []Column {
	report := func(version string, outcome behave.Outcome) behave.Report {
		r := behave.Report{Target: contract.About{Version: version}}
		for _, c := range behave.Cases() {
			v := behave.Verdict{Outcome: behave.Pass}
			if c.Name == "retry" {
				v = behave.Verdict{Outcome: outcome, Note: "note"}
			}
			r.Results = append(r.Results, behave.Result{Name: c.Name, Group: c.Group, Kind: c.Kind, Verdict: v})
		}
		return r
	}
	return []Column{
		{Name: "good", Report: report("this commit", behave.Pass)},
		{Name: "peer", Report: report("1.2.3", behave.Fail), Reasons: map[string]string{"retry": "it forgets"}},
	}
}

func TestFailuresNeedReasons(t *testing.T) {
	c := columns()
	if faults := Faults(c); len(faults) != 0 {
		t.Errorf("%q", faults)
	}
	c[0].Reasons = map[string]string{"panic": "it does not"}
	c[1].Reasons = nil
	if faults := Faults(c); len(faults) != 2 || !strings.Contains(faults[0], "good has a reason for failing panic") || !strings.Contains(faults[1], "peer fails retry") {
		t.Errorf("%q", faults)
	}
	if err := Write(t.TempDir(), c, nil, "2026-01-02"); err == nil || strings.Contains(err.Error(), "no such file") {
		t.Errorf("tables without reasons: %v", err)
	}
}

func TestTablesSayWhatWasFound(t *testing.T) {
	for text, wants := range map[string][]string{
		English().Summary(columns(), []string{"github.com/a/b"}, "2026-01-02"): {
			"| a retry gets the first reply | ✓ | ✗ |\n", "| the same reply | 13 / 13 | 12 / 13 |\n", "peer (1.2.3) · 2026-01-02", "a/b",
		},
		Chinese().Summary(columns(), []string{"github.com/a/b"}, "2026-01-02"): {"| 重试得到第一次的响应 | ✓ | ✗ |\n", "| 响应相同 | 13 / 13 | 12 / 13 |\n"},
		Page(columns(), []string{"github.com/a/b"}, "2026-01-02"):              {"| good | peer (1.2.3) |\n", " ✓ note | ✗ |\n", "* `retry` (note): it forgets.\n", "It fails none."},
		Text(columns()): {"peer fails retry: note"},
	} {
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("lacks %q:\n%s", want, text)
			}
		}
	}
}

// Both languages say the same things.
func TestLanguagesAreWhole(t *testing.T) {
	for _, l := range []Language{English(), Chinese()} {
		for _, name := range telling {
			if l.cases[name] == "" {
				t.Errorf("no words for %s", name)
			}
		}
		for _, g := range behave.Groups() {
			if l.groups != nil && l.groups[g] == "" {
				t.Errorf("no words for %s", g)
			}
		}
	}
	for _, name := range telling {
		if columns()[0].result(name).Name == "" {
			t.Errorf("%s is no case", name)
		}
	}
}

func TestWriteKeepsTheDateUntilTheResultsChange(t *testing.T) {
	root := t.TempDir()
	files := []string{"README.md", "README.zh-CN.md", "docs/comparison.md"}
	if err := os.Mkdir(filepath.Join(root, "docs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte("before\n"+opening+closing+"\nafter\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	changed := columns()
	changed[1].Report.Results[0].Outcome = behave.Pass
	changed[1].Reasons = nil
	for _, step := range []struct {
		columns     []Column
		today, want string
	}{{columns(), "2026-01-02", "2026-01-02"}, {columns(), "2026-01-03", "2026-01-02"}, {changed, "2026-01-04", "2026-01-04"}} {
		if err := Write(root, step.columns, []string{"github.com/a/b"}, step.today); err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if s := string(text); !strings.Contains(s, step.want) || strings.Count(s, "2026-") != 1 || !strings.HasPrefix(s, "before\n"+opening) || !strings.HasSuffix(s, closing+"\nafter\n") {
				t.Errorf("%s on %s:\n%s", name, step.today, s)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(root, "README.md"), []byte("no markers"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(root, columns(), nil, "2026-01-02"); err == nil {
		t.Error("a file without markers was written")
	}
}
