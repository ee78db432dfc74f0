package retry

import (
	"fmt"
	"strings"
)

//go:generate go run ../scripts/endtable ../docs/protocol.md

// Markdown renders [Table] for docs/protocol.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| end | what happened | then | fate | with `safe_new_key: true` |\n|---|---|---|---|---|\n")
	for _, r := range Table() {
		then, safe := r.Next.String(), "–"
		if r.Next == Retry {
			then += ", " + r.Pace.String()
		}
		if r.Believes {
			safe = Refuted.String()
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.Name, r.Meaning, then, r.Proof, safe)
	}
	return b.String()
}
