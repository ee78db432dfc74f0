package report

import (
	"fmt"
	"os"
	"strings"
)

// markers stand around what the target of the Makefile has made.
func markers(target string) (begin, end string) {
	return "<!-- " + target + ": made by `make " + target + "` -->\n", "<!-- /" + target + " -->"
}

// Write replaces what stands between a target's markers in a page.
func Write(path, target, tables string) error {
	begin, end := markers(target)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no %q … %q", path, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(path, []byte(before+begin+"\n"+strings.TrimSpace(tables)+"\n\n"+end+after), 0o644)
}
