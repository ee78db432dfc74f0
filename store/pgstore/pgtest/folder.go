package pgtest

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

const (
	folderPrefix = "onceward-pg-"
	lockName     = "in-use"
)

// folder is a temporary folder that the server's account may enter, locked for as long as this process lives.
// Its name is short: it goes into the path of a socket, which has a limit of about 100 bytes.
type folder struct {
	path string
	lock *os.File
}

func newFolder(parent string, o *owner) (*folder, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	path, err := os.MkdirTemp(parent, folderPrefix)
	if err != nil {
		return nil, err
	}
	f := &folder{path: path}
	if o != nil {
		err = os.Chown(path, o.uid, o.gid)
	}
	if err == nil {
		f.lock, err = hold(filepath.Join(path, lockName))
	}
	if err != nil {
		return nil, errors.Join(err, f.remove())
	}
	return f, nil
}

func (f *folder) remove() error {
	err := os.RemoveAll(f.path)
	if f.lock != nil {
		f.lock.Close()
	}
	return err
}

// sweep removes what processes left behind that were killed: their locks ended with them.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*")) // the only error is a malformed pattern
	for _, path := range left {
		lock := filepath.Join(path, lockName)
		if info, err := os.Stat(lock); err == nil && time.Since(info.ModTime()) > time.Minute && abandoned(lock) {
			_ = os.RemoveAll(path)
		}
	}
}
