package redisstore

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
	for _, grants := range []string{Grants(""), SentinelGrants()} {
		if rules := "ACL SETUSER orders on >password " + grants; !strings.Contains(string(text), rules+"\n") {
			t.Errorf("README.md does not show:\n%s", rules)
		}
	}
}
