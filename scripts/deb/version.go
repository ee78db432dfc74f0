package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// describe is the package's version: a tag's own, else one between the last tag's and the next.
func describe(root string) (string, error) {
	said, err := output(root, "git", "describe", "--tags", "--match=v[0-9]*", "--dirty")
	if err != nil { // no tag yet
		count, err := output(root, "git", "rev-list", "--count", "HEAD")
		if err != nil {
			return "", fmt.Errorf("the version comes from git: %w; without it give -version", err)
		}
		if said, err = output(root, "git", "describe", "--always", "--dirty"); err != nil {
			return "", err
		}
		said = "v0.0.0-" + count + "-g" + said
	}
	return debianVersion(said)
}

var described = regexp.MustCompile(`^v(\d+\.\d+\.\d+)(-[a-z][0-9a-z.]*)?(?:-(\d+)-(g[0-9a-f]+))?$`)

// debianVersion turns what git describe says into a version that sorts as it should: 1.2.0~rc.1 < 1.2.0 < 1.2.0+3.gabc.
func debianVersion(said string) (string, error) {
	commit, dirty := strings.CutSuffix(said, "-dirty")
	m := described.FindStringSubmatch(commit)
	if m == nil {
		return "", fmt.Errorf("git describes this as %q, which is no version: give -version", said)
	}
	version := m[1]
	if m[2] != "" {
		version += "~" + m[2][1:]
	}
	switch {
	case m[3] != "":
		version += "+" + m[3] + "." + m[4]
	case dirty:
		version += "+0" // a number, as the next commit has
	}
	if dirty {
		version += ".dirty"
	}
	return version, nil
}

// moment is the time of everything in the package: SOURCE_DATE_EPOCH, else the commit's.
func moment(root string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		var err error
		if text, err = output(root, "git", "log", "-1", "--format=%ct"); err != nil {
			return time.Time{}, fmt.Errorf("the package's time comes from git: %w; without it set SOURCE_DATE_EPOCH", err)
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q: use seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func goEnv(name string) (string, error) { return output("", "go", "env", name) }

func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
