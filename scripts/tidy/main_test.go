package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unpublished is a workspace whose module cmd imports the root and requires, for nothing, the module spare; none of them is published.
var unpublished = map[string]string{
	"go.work": `go 1.26

use (
	.
	./cmd
	./spare
)

replace (
	example.invalid/root v0.1.0 => ./
	example.invalid/root/cmd v0.1.0 => ./cmd
	example.invalid/root/spare v0.1.0 => ./spare
)
`,
	"go.mod":     "module example.invalid/root\n\ngo 1.26\n",
	"root.go":    "package root\n",
	"cmd/go.mod": "module example.invalid/root/cmd\n\ngo 1.26\n\nrequire example.invalid/root/spare v0.1.0\n\nrequire example.invalid/root v0.1.0 // indirect\n",
	"cmd/cmd.go": "package cmd\n\nimport _ \"example.invalid/root\"\n",

	"spare/go.mod":   "module example.invalid/root/spare\n\ngo 1.26\n",
	"spare/spare.go": "package spare\n",
}

const tidied = "module example.invalid/root/cmd\n\ngo 1.26\n\nrequire example.invalid/root v0.1.0\n"

func TestTidy(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("GOWORK", "") // find the one in dir
	for name, text := range unpublished {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if changed, err := tidyAll(false); err != nil || !changed {
		t.Fatalf("check of an untidy module: changed %v, %v", changed, err)
	}
	if text, _ := os.ReadFile("cmd/go.mod"); string(text) != unpublished["cmd/go.mod"] {
		t.Fatalf("a check has written:\n%s", text)
	}
	if changed, err := tidyAll(true); err != nil || !changed {
		t.Fatalf("tidy: changed %v, %v", changed, err)
	}
	if text, _ := os.ReadFile("cmd/go.mod"); strings.TrimSpace(string(text)) != strings.TrimSpace(tidied) {
		t.Errorf("cmd/go.mod has become\n%s\nwant\n%s", text, tidied)
	}
	if changed, err := tidyAll(false); err != nil || changed {
		t.Errorf("check of tidy modules: changed %v, %v", changed, err)
	}
}
