package report

import (
	"strings"
	"testing"
)

func TestTheProxyIsMeasured(t *testing.T) {
	table, err := Proxy(Options{Short: true, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| reverse proxy, tuned | ", "| new key, memory | ", "| new key, on the disk | ", "| replay | ", "| nginx, tuned | "} {
		if !strings.Contains(table, want) {
			t.Errorf("no row %q in\n%s", want, table)
		}
	}
	if strings.Contains(table, "NaN") || strings.Contains(table, "Inf") {
		t.Errorf("a division by zero:\n%s", table)
	}
}
