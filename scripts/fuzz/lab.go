package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
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

// build compiles the test binary of a package. It must know the targets that the source has: one behind a build tag, for example, would never run.
func (l *lab) build(p fuzzed) (binary string, err error) {
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

// result is what became of one target.
type result struct {
	target, pkg string
	execs, news string
	took        time.Duration
	err         error
}

// String is one line, and what went wrong below it.
func (r result) String() string {
	fate := "ok  "
	if r.err != nil {
		fate = "FAIL"
	}
	line := fmt.Sprintf("%s  %-28s %-34s %9s execs %4s new  %4.1fs", fate, r.target, r.pkg, r.execs, r.news, r.took.Seconds())
	if r.err != nil {
		line += "\n" + r.err.Error()
	}
	return line
}

// progress is the line that a fuzzing test binary prints every three seconds and at the end.
var progress = regexp.MustCompile(`(?m)^fuzz: elapsed: \S+ execs: (\d+) .*new interesting: (\d+)`)

func (l *lab) fuzz(p fuzzed, binary, target string) result {
	pkg, err := run(p.dir, "go", "list", ".")
	r := result{target: target, pkg: short(pkg), execs: "0", news: "0", err: err}
	if err != nil {
		return r
	}
	began := time.Now()
	// The deadline bounds the search for a smaller input as well, which otherwise takes up to a minute.
	out, err := run(p.dir, binary, "-test.run=^$", "-test.fuzz=^"+target+"$", "-test.fuzztime="+l.fuzztime, "-test.fuzzminimizetime=1s",
		"-test.fuzzcachedir="+filepath.Join(l.cache, filepath.FromSlash(pkg)))
	r.took = time.Since(began)
	if lines := progress.FindAllStringSubmatch(out, -1); len(lines) > 0 {
		r.execs, r.news = lines[len(lines)-1][1], lines[len(lines)-1][2]
	}
	switch {
	case err != nil:
		r.err = err
		if inputs := crashers.FindStringSubmatch(out); inputs != nil {
			r.err = fmt.Errorf("%w\nthe input is in %s: commit it with the correction", err, filepath.Join(p.dir, inputs[1]))
		}
	case r.execs == "0":
		r.err = errors.New("it ran no input: give it more time")
	}
	return r
}

var crashers = regexp.MustCompile(`Failing input written to (\S+)`)

// short leaves out what all our packages begin with.
func short(pkg string) string {
	const most = 3 // host, owner, repository
	parts := strings.Split(pkg, "/")
	return strings.Join(append([]string{"."}, parts[min(most, len(parts)):]...), "/")
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
