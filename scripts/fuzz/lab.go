package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// lab builds test binaries for fuzzing and runs them.
type lab struct {
	modules  []string // directories
	cache    string   // where the go command keeps interesting inputs; "go clean -fuzzcache" empties it
	temp     string
	fuzztime string
}

func newLab(fuzztime string) (*lab, error) {
	modules, err := run("", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, err
	}
	cache, err := run("", "go", "env", "GOCACHE")
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "fuzz-")
	return &lab{strings.Fields(modules), filepath.Join(cache, "fuzz"), temp, fuzztime}, err
}

func (l *lab) close() { _ = os.RemoveAll(l.temp) }

// build compiles the test binary of a package and learns the package's path. It must know the targets that the source has: one behind a build tag, for example, would never run.
func (l *lab) build(p *fuzzed) (binary string, err error) {
	if p.path, err = run(p.dir, "go", "list", "."); err != nil {
		return "", err
	}
	binary = filepath.Join(l.temp, "fuzz.test")
	if _, err := run(p.dir, "go", "test", "-c", "-vet=off", "-fuzz=Fuzz", "-o", binary, "."); err != nil {
		return "", err
	}
	known, err := run(p.dir, binary, "-test.list=^Fuzz")
	if list := strings.Fields(known); err == nil && !slices.Equal(slices.Sorted(slices.Values(list)), p.targets) {
		err = fmt.Errorf("the source has the targets %q, the test binary %q", p.targets, list)
	}
	return binary, err
}

// run executes a command without cgo and returns what it prints, trimmed. The error of a command that fails has all of it.
func run(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	text := string(bytes.TrimSpace(out))
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, text)
	}
	return text, err
}
