package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// mutant is a patch that breaks one guarantee, and the test that must notice.
type mutant struct {
	name  string   // the guarantee: the patch's file name
	patch string   // absolute path
	pkg   string   // as the go command takes it from the root: ./store
	run   string   // -run expression
	own   bool     // a binary of its own: its test counts allocations
	hangs bool     // it is killed by hanging its test, which takes a second or two otherwise
	files []string // patched files, relative to the root
}

var headerLine = regexp.MustCompile(`^(Package|Run|Binary|Kills): (\S+)$`)

// readMutant reads the header lines and the names of the files that the patch touches.
func readMutant(path string) (mutant, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return mutant{}, err
	}
	m := mutant{name: strings.TrimSuffix(filepath.Base(path), ".patch"), patch: path}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if file, ok := strings.CutPrefix(line, "+++ b/"); ok {
			m.files = append(m.files, file)
			continue
		}
		match := headerLine.FindStringSubmatch(line)
		switch {
		case match == nil || len(m.files) > 0:
		case match[1] == "Package":
			m.pkg = match[2]
		case match[1] == "Binary":
			m.own = match[2] == "own"
		case match[1] == "Kills":
			m.hangs = match[2] == "hanging"
		default:
			m.run = match[2]
		}
	}
	if m.pkg == "" || m.run == "" || len(m.files) == 0 {
		return mutant{}, fmt.Errorf(`%s: want the lines "Package: ./dir" and "Run: Test…" above a unified diff`, path)
	}
	return m, lines.Err()
}

// overlay applies the patch to copies of its files in dir and returns the file for the go command's -overlay flag.
func (m mutant) overlay(root, dir string) (string, error) {
	replace := map[string]string{}
	for _, file := range m.files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		copied := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(copied, text, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = copied
	}
	cmd := exec.Command("git", "apply", m.patch)
	// Without a ceiling git would look for a repository above dir, and patch that.
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return writeOverlay(dir, replace)
}

// writeOverlay says which files stand for which, as the go command's -overlay flag takes it.
func writeOverlay(dir string, replace map[string]string) (string, error) {
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, content, 0o644)
}
