package pgorm

import (
	"os"
	"strings"
	"testing"
)

// The page shows the code that is tested here, as it is.
func TestPageShowsWhatIsTested(t *testing.T) {
	page, err := os.ReadFile("../../docs/postgres-libraries.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"gormtx_test.go", "enttx_test.go", "outbox_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, code, _ := strings.Cut(string(text), "package pgorm\n\n")
		if !strings.Contains(string(page), "```go\n"+code+"```\n") {
			t.Errorf("docs/postgres-libraries.md does not show %s as it is", file)
		}
	}
}
