package main

import (
	"bytes"
	"io"
	"runtime/debug"
	"strings"
	"testing"
)

// run executes a command line and returns its output.
func run(args ...string) (string, error) {
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(io.Discard)
	err := root.Execute()
	return out.String(), err
}

func TestVersion(t *testing.T) {
	out, err := run("version")
	if err != nil || !strings.HasPrefix(out, "onceward ") || strings.Count(out, "\n") != 1 {
		t.Fatalf("version printed %q, %v", out, err)
	}
}

func TestVersionOfABuild(t *testing.T) {
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	for want, info := range map[string]*debug.BuildInfo{
		"v0.1.0":               {Main: debug.Module{Version: "v0.1.0"}},
		"development":          {Main: debug.Module{Version: "(devel)"}},
		"0123456789ab":         {Settings: []debug.BuildSetting{setting("vcs.revision", "0123456789abcdef"), setting("vcs.modified", "false")}},
		"0123456789ab+changes": {Settings: []debug.BuildSetting{setting("vcs.revision", "0123456789abcdef"), setting("vcs.modified", "true")}},
	} {
		if got := version(info, true); got != want {
			t.Errorf("version = %q, want %q", got, want)
		}
	}
	if got := version(nil, false); got != "unknown" {
		t.Errorf("version without build information = %q", got)
	}
}

func TestUnknownCommandFails(t *testing.T) {
	for _, args := range [][]string{{"no-such-command"}, {"version", "extra"}, {"version", "--no-such-flag"}} {
		if _, err := run(args...); err == nil {
			t.Errorf("onceward %s: no error", strings.Join(args, " "))
		}
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	out, err := run("--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range newRoot().Commands() {
		if c.Short == "" || !strings.Contains(out, c.Name()) {
			t.Errorf("command %q is not described in the help:\n%s", c.Name(), out)
		}
	}
}
