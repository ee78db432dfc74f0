package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// inDocs are command lines: "onceward …" at the beginning of a line in a block, or in backticks.
var inDocs = regexp.MustCompile("(?m)(?:^ *(?:[A-Z_]+=\\S+ +)?(?:go run \\./cmd/)?|`)onceward ((?:demo|faults|keys|maintain|migrate|proxy|store|version)\\b[^`|>#\n]*)")

// Every command line in the documents is one that this build takes: its words, its flags, and no value missing.
func TestDocsShowCommandsThatExist(t *testing.T) {
	if _, err := os.Stat("../../go.work"); err != nil {
		t.Skip("no go.work: this is a copy of the module alone")
	}
	seen := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, line := range inDocs.FindAllStringSubmatch(strings.ReplaceAll(string(text), "\n$ onceward ", "\nonceward "), -1) {
			if strings.Contains(line[1], ": ") || strings.Contains(line[1], " | ") {
				continue // what the command prints, or says of itself
			}
			words := shellWords(line[1])
			seen[words[0]] = true
			if fault := notACommand(words); fault != "" {
				t.Errorf("%s: onceward %s: %s", path, line[1], fault)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"demo", "faults", "keys", "maintain", "migrate", "proxy", "store"} {
		if !seen[word] {
			t.Errorf("no document shows onceward %s: the test looks in the wrong place", word)
		}
	}
}

// notACommand says what is wrong with a command line, without running it.
func notACommand(words []string) string {
	cmd, rest, err := newRoot().Find(words)
	if err != nil {
		return err.Error()
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err.Error()
	}
	args := cmd.Flags().Args()
	switch {
	case strings.Contains(cmd.Use, " ID"):
		if len(args) > 1 || len(args) == 1 && !isID(args[0]) { // none: it is only named
			return "one id is wanted, not " + strings.Join(args, " ")
		}
	case strings.Contains(cmd.Use, " DIR"): // it says itself what it takes
		if err := cmd.Args(cmd, args); err != nil {
			return err.Error()
		}
	case len(args) > 0:
		return "no such command, or an argument too many: " + strings.Join(args, " ")
	}
	return ""
}

func TestDocsTestCatchesWrongCommands(t *testing.T) {
	for _, line := range []string{"migrate mysql", "store seal", "migrate postgres --applied", "store seal postgres --service", "migrate postgres surplus", "store verify", "store verify a b", "nothing", "keys lists", "keys show secret", "keys list " + strings.Repeat("a", 64)} {
		if fault := notACommand(strings.Fields(line)); (fault == "") != (line == "store seal") {
			t.Errorf("onceward %s: %q", line, fault)
		}
	}
}
