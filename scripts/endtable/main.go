// Command endtable writes the client's table of ends into docs/protocol.md, between its markers. `make generate` runs it.
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/onceward/onceward/retry"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: endtable FILE.md")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "endtable:", err)
		os.Exit(1)
	}
}

func write(path string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok := bytes.Cut(doc, []byte("<!-- ends:"))
	note, rest, ok2 := bytes.Cut(rest, []byte("-->\n"))
	_, tail, ok3 := bytes.Cut(rest, []byte("<!-- /ends -->"))
	if !ok || !ok2 || !ok3 {
		return fmt.Errorf("%s lacks the markers <!-- ends: … --> and <!-- /ends -->", path)
	}
	out := bytes.Join([][]byte{head, []byte("<!-- ends:"), note, []byte("-->\n"), []byte(retry.Markdown()), []byte("<!-- /ends -->"), tail}, nil)
	if bytes.Equal(out, doc) {
		return nil
	}
	return os.WriteFile(path, out, 0o644)
}
