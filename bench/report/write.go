package report

import (
	"fmt"
	"os"
	"strings"
)

const (
	begin = "<!-- bench: made by `make bench` -->\n"
	end   = "<!-- /bench -->"
)

// Write replaces what stands between the markers of a page.
func Write(path, tables string) error {
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
