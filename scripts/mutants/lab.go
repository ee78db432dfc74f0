package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// lab builds and runs tests, with and without patches. It is safe for concurrent use.
type lab struct {
	root     string
	temp     string
	template string // where PostgreSQL's first data directory is kept
	timeout  time.Duration
	proved   bool // the tests pass without a patch: somebody has just run them all
	mutants  []mutant

	bases once[*base]    // by package
	sound once[struct{}] // by package and expression: the test without a patch
}

// base is a package's test binary, with the mutants that fit into one.
type base struct {
	dir    string // of the package
	binary string
	holds  map[string]bool // mutants by name
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
	return &lab{template: template, root: filepath.Dir(gowork), temp: temp, timeout: timeout, proved: proved}, nil
}

func (l *lab) close() { _ = os.RemoveAll(l.temp) }

// try returns nil if the mutant is killed. Own asks for a binary with nothing else in it.
func (l *lab) try(m mutant, own bool) error {
	b, err := l.bases.get(m.pkg, func() (*base, error) { return l.base(m.pkg) })
	if err != nil {
		return err
	}
	if _, err := l.sound.get(m.pkg+" "+m.run, func() (struct{}, error) { return struct{}{}, l.soundly(b, m.run) }); err != nil {
		return err
	}
	binary := b.binary
	if own || !b.holds[m.name] {
		temp, err := l.folder(m)
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp) // a test binary each
		overlay, err := m.overlay(l.root, temp)
		if err != nil {
			return fmt.Errorf("does not apply: %w", err)
		}
		binary = filepath.Join(temp, "mutant.test")
		if err := l.build(m.pkg, binary, overlay); err != nil {
			return fmt.Errorf("does not compile: %w", err)
		}
	}
	timeout := l.timeout
	if m.hangs {
		timeout /= 4
	}
	out, err := l.test(b.dir, binary, m.run, m.name, timeout)
	switch {
	case err == nil:
		return errors.New("SURVIVED: " + m.run + " passes with it")
	case !strings.Contains(out, "--- FAIL") && !strings.Contains(out, "panic:"):
		return fmt.Errorf("the test did not run: %w: %s", err, last(out))
	}
	return nil
}

func (l *lab) folder(m mutant) (string, error) {
	temp := filepath.Join(l.temp, m.name)
	return temp, os.MkdirAll(temp, 0o755)
}

// base builds a package's test binary with all of its mutants that change functions only.
func (l *lab) base(pkg string) (*base, error) {
	dir, err := output(l.root, nil, "go", "list", "-f", "{{.Dir}}", pkg)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(l.temp, "base")
	if err != nil {
		return nil, err
	}
	all := newBatch(l.root)
	for _, m := range l.mutants {
		if m.pkg != pkg {
			continue
		}
		patched, err := l.folder(m)
		if err != nil {
			return nil, err
		}
		if _, err := m.overlay(l.root, patched); err == nil { // else it is told when its turn comes
			_ = all.add(m, patched) // likewise
		}
	}
	overlay, err := all.overlay(temp)
	if err != nil {
		return nil, err
	}
	b := &base{dir: dir, binary: filepath.Join(temp, "base.test"), holds: all.names}
	broken := l.build(pkg, b.binary, overlay)
	if broken == nil {
		return b, nil
	}
	b.holds = nil
	if err := l.build(pkg, b.binary, ""); err != nil {
		return nil, fmt.Errorf("does not compile without a patch: %w", err)
	}
	if len(all.names) > 1 {
		fmt.Printf("%s: a binary for each mutant, for one for all does not compile: %v\n", pkg, broken)
	}
	return b, nil
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
	if out, err := l.test(b.dir, b.binary, run, "", l.timeout); err != nil {
		return fmt.Errorf("%s fails without a patch: %s", run, last(out))
	}
	return nil
}

func (l *lab) build(pkg, binary, overlay string) error {
	_, err := output(l.root, []string{"CGO_ENABLED=0"}, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+overlay, "-o", binary, pkg)
	return err
}

// test runs a test with a mutant alive, or with none.
func (l *lab) test(dir, binary, run, alive string, timeout time.Duration) (string, error) {
	// Many tests start a PostgreSQL: its first data directory is made once.
	env := []string{"ONCEWARD_PG_TEMPLATE=" + l.template, switchVar + "=" + alive}
	return output(dir, env, binary, "-test.run="+run, "-test.failfast", "-test.timeout="+timeout.String())
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
