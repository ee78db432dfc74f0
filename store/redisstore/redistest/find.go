package redistest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrMissing says that there is no Redis server on this machine.
var ErrMissing = errors.New(`redistest: no redis-server found: run "make services", or install the package redis-server and set REDISBIN to its folder`)

// Find returns the path of redis-server: in $REDISBIN, or in PATH. It is its own sentinel, if told so.
func Find() (string, error) {
	if dir := os.Getenv("REDISBIN"); dir != "" {
		path := filepath.Join(dir, "redis-server")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", ErrMissing
	}
	return path, nil
}
