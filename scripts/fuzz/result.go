package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

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
	line := fmt.Sprintf("%s  %-22s %-36s %9s execs %4s new %6.1fs", fate, r.target, r.pkg, r.execs, r.news, r.took.Seconds())
	if r.err != nil {
		line += "\n" + r.err.Error()
	}
	return line
}

// errIdle is the error of a target whose time was over before it had run one new input: on a busy machine the old ones, which come first, may take all of it.
var errIdle = errors.New("it ran no new input: give it more time")

func (l *lab) fuzz(p fuzzed, binary, target string) result {
	r := l.try(p, binary, target, l.fuzztime)
	if d, err := time.ParseDuration(l.fuzztime); errors.Is(r.err, errIdle) && err == nil {
		const patience = 10
		r = l.try(p, binary, target, (patience * d).String())
	}
	return r
}

var (
	// A fuzzing test binary prints this every three seconds and at the end.
	progress = regexp.MustCompile(`(?m)^fuzz: elapsed: \S+ execs: (\d+) .*new interesting: (\d+)`)
	crasher  = regexp.MustCompile(`Failing input written to (\S+)`)
	// Go reports so if the end of the time meets a worker at the wrong moment.
	cutShort = regexp.MustCompile(`--- FAIL: \S+ \(\S+\)\n\s+context deadline exceeded\n`)
)

func (l *lab) try(p fuzzed, binary, target, fuzztime string) result {
	began := time.Now()
	// The limit for minimizing: otherwise the search for a smaller input takes up to a minute.
	out, err := run(p.dir, binary, "-test.run=^$", "-test.fuzz=^"+target+"$", "-test.fuzztime="+fuzztime, "-test.fuzzminimizetime=1s",
		"-test.fuzzcachedir="+filepath.Join(l.cache, filepath.FromSlash(p.path)))
	r := result{target: target, pkg: short(p.path), execs: "0", news: "0", took: time.Since(began), err: err}
	if lines := progress.FindAllStringSubmatch(out, -1); len(lines) > 0 {
		r.execs, r.news = lines[len(lines)-1][1], lines[len(lines)-1][2]
	}
	input := crasher.FindStringSubmatch(out)
	switch {
	case input != nil:
		r.err = fmt.Errorf("%w\nthe input is in %s: commit it with the correction", err, filepath.Join(p.dir, input[1]))
	case err != nil && cutShort.MatchString(out):
		r.err = nil
	}
	if r.err == nil && r.execs == "0" {
		r.err = errIdle
	}
	return r
}

// short leaves out what all our packages begin with.
func short(pkg string) string {
	const most = 3 // host, owner, repository
	parts := strings.Split(pkg, "/")
	return strings.Join(append([]string{"."}, parts[min(most, len(parts)):]...), "/")
}
