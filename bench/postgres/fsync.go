package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// fsync measures how long the disk takes to keep a page that is appended to a file in dir.
func fsync(dir string) (string, error) {
	name := filepath.Join(dir, "fsync")
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	page, took := make([]byte, 8192), make([]time.Duration, 101)
	for i := range took {
		began := time.Now()
		_, err := f.Write(page)
		if err = errors.Join(err, f.Sync()); err != nil {
			return "", errors.Join(err, f.Close())
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return fmt.Sprintf("%v (%v–%v)", round(took[50]), round(took[25]), round(took[75])), errors.Join(f.Close(), os.Remove(name))
}

func round(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
