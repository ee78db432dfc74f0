package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every measurement runs, fills its table, and finds its place in a page.
func TestEveryMeasurementRuns(t *testing.T) {
	tables, err := Make(Options{Short: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| new key | ", "| replay | ", "| bare ingredients | ", "| onceward client | ", "| heap for one record | ", "| purge of all of them | "} {
		if !strings.Contains(tables, want) {
			t.Errorf("no row %q in\n%s", want, tables)
		}
	}
	if strings.Contains(tables, "NaN") || strings.Contains(tables, "Inf") {
		t.Errorf("a division by zero:\n%s", tables)
	}
	begin, end := markers("bench")
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("# Title\n"+begin+"old\n"+end+"\nlast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Write(page, "bench", tables); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil || strings.Contains(string(text), "old\n") || strings.Count(string(text), tables) != 1 || !strings.HasSuffix(string(text), end+"\nlast\n") {
		t.Errorf("the page is\n%s\n%v", text, err)
	}
	if err := Write(os.DevNull, "bench", tables); err == nil {
		t.Error("a page without markers is taken")
	}
}
