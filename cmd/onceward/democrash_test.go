package main

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/onceward/onceward/cmd/onceward/internal/demo"
)

// The demo's bank behind the proxy, both killed in the middle of transfers: none is made twice, every reply stays, and what nobody can tell is listed
// and resolved by the command.
func TestDemoThroughAKilledProxy(t *testing.T) {
	t.Setenv(asCommand, "1") // for the processes that the demo starts
	out, err := run("demo", "--through", "proxy", "--crash", "-o", "json", "--seed", "7", "--requests", "300", "--clients", "8")
	if err != nil {
		t.Fatalf("%v in:\n%s", err, out)
	}
	var got demo.CrashReport
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in:\n%s", err, out)
	}
	o := got.Onceward
	if got.Seed != 7 || got.Wanted != 300 || got.Clients != 8 || got.Kills != (demo.Kills{Proxy: 3, Upstream: 3, Both: 3}) {
		t.Errorf("%+v", got)
	}
	if o.Doubled != 0 || o.FatesWrong != 0 || o.RepliesDiffer != 0 || o.Effects+o.Unknown+o.NotExecuted < 300 || o.Effects != o.Answered+o.Resolved.Happened {
		t.Errorf("%+v", o)
	}
	if o.Unknown < 9 || o.Unknown > o.InFlight || o.Resolved.Happened+o.Resolved.DidNotHappen != o.Unknown || o.UnknownLeft+o.Unlisted != 0 || o.Replays < o.Answered {
		t.Errorf("%+v", o)
	}
}

// A proxy that runs again what nobody can tell doubles transfers, and the demo counts them.
func TestDemoCountsWhatAKilledProxyDoubles(t *testing.T) {
	t.Setenv(asCommand, "1")
	rerun := func(ctx context.Context, args ...string) *exec.Cmd {
		if args[0] == "proxy" {
			args = append(args, "--on-lapse", "rerun")
		}
		return ourselves(ctx, args...)
	}
	report, err := demo.RunCrash(t.Context(), demo.Crash{Requests: 60, Clients: 4, Seed: 7, Kills: 1, Program: rerun, Keys: runKeys})
	if err != nil {
		t.Fatal(err)
	}
	if report.Onceward.Doubled == 0 || !errors.Is(report.Verdict(), demo.ErrWrong) {
		t.Errorf("%+v: %v", report.Onceward, report.Verdict())
	}
}

func TestDemoCrashRefusesWrongFlags(t *testing.T) {
	for want, args := range map[string]string{
		"use --through proxy and --crash together": "--crash",
		"use --through proxy and --crash":          "--through proxy",
		`--through is "gateway": use proxy`:        "--through gateway --crash",
		"--loss does not go with --crash":          "--through proxy --crash --loss 0.1",
		"requests is 10: use 50":                   "--through proxy --crash --requests 10",
		"clients is 0: use 1":                      "--through proxy --crash --clients 0",
		"--output is":                              "--through proxy --crash -o xml",
	} {
		out, err := run(append([]string{"demo"}, strings.Fields(args)...)...)
		if err == nil || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("demo %s: %v, output %q; want %q", args, err, out, want)
		}
	}
}
