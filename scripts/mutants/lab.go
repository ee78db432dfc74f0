package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// lab builds and runs tests, with and without patches. It is safe for concurrent use.
type lab struct {
	root     string
	temp     string
	template string // where PostgreSQL's first data directory is kept
	timeout  time.Duration
	proved   bool // the tests pass without a patch: somebody has just run them all

	mu    sync.Mutex
	bases map[string]*base // by package
	sound map[string]error // by package and expression: the test without a patch
	count int
}

// base is a package's test binary without a patch.
type base struct {
	dir    string // of the package
	binary string
}

func newLab(timeout time.Duration, proved bool) (*lab, error) {
	gowork, err := output("", nil, "go", "env", "GOWORK")
	if err != nil {
		return nil, err
	}
	if gowork == "" || gowork == "off" {
		return nil, errors.New("no go.work here; run it inside the repository")
	}
	temp, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return nil, err
	}
	template := filepath.Join(temp, "postgres")
	if err := errors.Join(os.Chmod(temp, 0o755), os.Mkdir(template, 0o755)); err != nil {
		return nil, err
	}
	return &lab{template: template, root: filepath.Dir(gowork), temp: temp, timeout: timeout, proved: proved, bases: map[string]*base{}, sound: map[string]error{}}, nil
}

func (l *lab) close() { _ = os.RemoveAll(l.temp) }

// try returns nil if the mutant is killed.
func (l *lab) try(m mutant) error {
	dir, err := l.prove(m)
	if err != nil {
		return err
	}
	temp := filepath.Join(l.temp, m.name)
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(temp) // a test binary each
	overlay, err := m.overlay(l.root, temp)
	if err != nil {
		return fmt.Errorf("does not apply: %w", err)
	}
	binary := filepath.Join(temp, "mutant.test")
	if err := l.build(m.pkg, binary, "-overlay="+overlay); err != nil {
		return fmt.Errorf("does not compile: %w", err)
	}
	out, err := l.test(dir, binary, m.run)
	switch {
	case err == nil:
		return errors.New("SURVIVED: " + m.run + " passes with it")
	case !strings.Contains(out, "--- FAIL") && !strings.Contains(out, "panic:"):
		return fmt.Errorf("the test did not run: %w: %s", err, last(out))
	}
	return nil
}

// prove makes sure, once for each package and expression, that the test exists and passes without a patch.
func (l *lab) prove(m mutant) (dir string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bases[m.pkg]
	if b == nil {
		if dir, err = output(l.root, nil, "go", "list", "-f", "{{.Dir}}", m.pkg); err != nil {
			return "", err
		}
		l.count++
		b = &base{dir: dir, binary: filepath.Join(l.temp, fmt.Sprintf("base%d.test", l.count))}
		if err := l.build(m.pkg, b.binary); err != nil {
			return "", fmt.Errorf("does not compile without a patch: %w", err)
		}
		l.bases[m.pkg] = b
	}
	name := m.pkg + " " + m.run
	if err, known := l.sound[name]; known {
		return b.dir, err
	}
	l.sound[name] = l.soundly(b, m.run)
	return b.dir, l.sound[name]
}

func (l *lab) soundly(b *base, run string) error {
	top, _, _ := strings.Cut(run, "/")
	names, err := output(b.dir, nil, b.binary, "-test.list="+top)
	if err != nil {
		return err
	}
	if names == "" {
		return errors.New("no test is called " + run)
	}
	if l.proved {
		return nil
	}
	if out, err := l.test(b.dir, b.binary, run); err != nil {
		return fmt.Errorf("%s fails without a patch: %s", run, last(out))
	}
	return nil
}

func (l *lab) build(pkg, binary string, flags ...string) error {
	args := append([]string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary}, flags...)
	_, err := output(l.root, []string{"CGO_ENABLED=0"}, "go", append(args, pkg)...)
	return err
}

func (l *lab) test(dir, binary, run string) (string, error) {
	// Many tests start a PostgreSQL: its first data directory is made once.
	return output(dir, []string{"ONCEWARD_PG_TEMPLATE=" + l.template}, binary, "-test.run="+run, "-test.failfast", "-test.timeout="+l.timeout.String())
}

// output runs a command and returns what it prints on either stream, trimmed; on failure the error carries the end of it.
func output(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	text := string(bytes.TrimSpace(out))
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(name), err, last(text))
	}
	return text, err
}

// last returns the end of a long text.
func last(text string) string {
	const most = 1500
	if len(text) > most {
		return "… " + text[len(text)-most:]
	}
	return text
}
