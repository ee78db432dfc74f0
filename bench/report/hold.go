package report

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

var holdMetric = regexp.MustCompile(`([0-9.e+]+) longest-hold-ns`)

// longestHold asks the memory store's own benchmark, which can see its locks.
func longestHold(short bool) (time.Duration, error) {
	if short {
		return 0, nil
	}
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkExpireLongestHold$", "-benchtime", "5x", "github.com/onceward/onceward/store/memstore")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("the memory store's benchmark: %w", err)
	}
	found := holdMetric.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("the memory store's benchmark has no longest-hold-ns: %s", out)
	}
	ns, err := strconv.ParseFloat(string(found[1]), 64)
	return time.Duration(ns), err
}
