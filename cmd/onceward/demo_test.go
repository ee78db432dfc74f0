package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestDemoJSON(t *testing.T) {
	out, err := run("demo", "-o", "json", "--seed", "7", "--requests", "150", "--clients", "16")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Wanted          int
		Seed            uint64
		Naive, Onceward struct{ Effects, Unknown, Replays int }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in:\n%s", err, out)
	}
	if got.Seed != 7 || got.Wanted != 150 || got.Naive.Effects <= 150 || got.Onceward.Effects != 150 || got.Onceward.Unknown != 0 || got.Onceward.Replays == 0 {
		t.Errorf("%+v", got)
	}
}

func TestDemoFailsWhenItShowsNothing(t *testing.T) {
	// One transfer through this seed's faults arrives once.
	out, err := run("demo", "--loss", "0", "--requests", "1", "--clients", "1", "--seed", "1")
	if err == nil || !strings.Contains(err.Error(), "--requests") {
		t.Errorf("error %v: want one with a hint", err)
	}
	if !strings.Contains(out, "naive retries") {
		t.Errorf("the report is printed all the same, not:\n%s", out)
	}
}

func TestDemoRefusesWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--loss", "0.95"}, {"--loss", "-0.1"}, {"--loss", "NaN"}, {"--requests", "0"}, {"--requests", "100001"}, {"--clients", "0"}, {"--clients", "513"},
		{"-o", "xml"}, {"--seed", "-1"}, {"surplus"},
	} {
		out, err := run(append([]string{"demo"}, args...)...)
		if err == nil || out != "" {
			t.Errorf("demo %v: error %v, output %q", args, err, out)
		}
	}
}

func TestDemoTellsItsProgressInPlainLines(t *testing.T) {
	var out, progress bytes.Buffer
	root := newRoot()
	root.SetArgs([]string{"demo", "--requests", "100", "--seed", "7"})
	root.SetOut(&out)
	root.SetErr(&progress)
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	want := "naive retries: transfers to make: 100\nwith onceward: transfers to make: 100\n"
	if progress.String() != want {
		t.Errorf("progress %q, want %q", progress.String(), want)
	}
}
