// Package python tests the client in this folder, which is not Go: it was written from docs/protocol.md alone, and has to agree with the
// Go client in everything that can happen.
package python

import (
	"bytes"
	"embed"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// Embedded, so that go test knows what its result depends on, and mutants are seen.
//
//go:embed *.py
var programs embed.FS

// run starts Python beside the programs and returns what it prints. Without a python3 the test is skipped, but not in CI.
func run(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no python3: .ci/run installs it")
		}
		fmt.Fprintln(os.Stderr, "SKIPPED: there is no python3, so examples/python is NOT tested here")
		t.Skip("there is no python3, so examples/python is NOT tested here")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, programs); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"-B"}, args...)...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("python3: %v\n%s", err, stderr.Bytes())
	}
	return stdout.Bytes()
}

// seed returns the one in ONCEWARD_SEED, or a new one, and prints it.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := rand.Uint64()
	if text := os.Getenv("ONCEWARD_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ONCEWARD_SEED=%d", n)
	return n
}

// count is how much of something a test does: little in CI, all in a soak.
func count(little, all int) int {
	if os.Getenv("ONCEWARD_SOAK") != "" {
		return all
	}
	return little
}
