package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrMissing says that there is no PostgreSQL server on this machine.
var ErrMissing = errors.New("pgtest: no PostgreSQL server binaries found: run \"make services\", or install the package postgresql and set PGBIN to its folder")

// Find returns the folder of the server's binaries: $PGBIN, or where the usual packages put them, the newest version first, or where
// PATH finds initdb.
func Find() (string, error) {
	places := []string{os.Getenv("PGBIN")}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",       // Debian
		"/usr/pgsql-*/bin",                // Red Hat
		"/usr/libexec/postgresql*",        // Alpine
		"/opt/homebrew/opt/postgres*/bin", // macOS
		"/usr/local/opt/postgres*/bin",
		"/usr/local/pgsql/bin", // from source
	} {
		found, _ := filepath.Glob(pattern) // the only error is a malformed pattern
		slices.SortFunc(found, func(a, b string) int { return number(b) - number(a) })
		places = append(places, found...)
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		places = append(places, filepath.Dir(path))
	}
	for _, dir := range places {
		if dir != "" && isProgram(dir, "initdb") && isProgram(dir, "postgres") {
			return dir, nil
		}
	}
	return "", ErrMissing
}

func isProgram(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// number is the first number in a path: the version.
func number(path string) int {
	for i, c := range path {
		if c >= '0' && c <= '9' {
			end := i
			for end < len(path) && path[end] >= '0' && path[end] <= '9' {
				end++
			}
			n, _ := strconv.Atoi(path[i:end])
			return n
		}
	}
	return 0
}
