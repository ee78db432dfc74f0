package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/onceward/onceward/bench/behave"
	"github.com/onceward/onceward/bench/behave/targets/naive"
	"github.com/onceward/onceward/bench/behave/targets/ours"
)

func TestAServerOfOnesOwn(t *testing.T) {
	good, err := ours.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer good.Stop()
	var out strings.Builder
	if err := run(t.Context(), []string{"-url", good.URL, "-run", "^(retry|no-leak)$", "-o", "json"}, &out); err != nil {
		t.Error(err)
	}
	var reports []behave.Report
	if err := json.Unmarshal([]byte(out.String()), &reports); err != nil || len(reports) != 1 || len(reports[0].Results) != 2 || reports[0].Results[0].Outcome != behave.Pass {
		t.Errorf("%v: %s", err, out.String())
	}

	bad, err := naive.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Stop()
	out.Reset()
	if err := run(t.Context(), []string{"-url", bad.URL, "-run", "^retry$"}, &out); err == nil || !strings.Contains(out.String(), "naive SETNX fails retry: ") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

func TestWrongArguments(t *testing.T) {
	for _, args := range [][]string{{"-o", "xml"}, {"-run", "("}, {"-write", ".", "-url", "http://127.0.0.1:1"}, {"-url", "http://127.0.0.1:1"}} {
		if err := run(t.Context(), args, &strings.Builder{}); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestListNamesEveryCase(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-list"}, &out); err != nil || strings.Count(out.String(), "\n") != 2*len(behave.Cases()) {
		t.Errorf("%v:\n%s", err, out.String())
	}
}
