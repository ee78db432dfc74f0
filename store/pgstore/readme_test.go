package pgstore

import (
	"os"
	"strings"
	"testing"
)

// The README shows the grants as they are.
func TestReadmeShowsTheGrants(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	grants, err := Grants("", "payouts")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), grants) {
		t.Errorf("README.md does not show:\n%s", grants)
	}
}
