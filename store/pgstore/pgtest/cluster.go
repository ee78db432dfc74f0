package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// owner is the account that runs the server; nil: this process's own.
type owner struct{ uid, gid int }

// template is a data directory fresh from initdb, made once for each process and copied for each server: a copy takes
// a quarter of the time.
var template struct {
	sync.Mutex
	folder *folder
	kept   bool // from server to server, until the end of Main
}

// makeCluster puts a fresh data directory at path.
func makeCluster(ctx context.Context, bin, path string, o *owner) error {
	template.Lock()
	defer template.Unlock()
	if dir := os.Getenv(TemplateEnv); dir != "" {
		data, err := sharedTemplate(ctx, bin, dir, o)
		if err != nil {
			return err
		}
		return copyTree(data, path, o)
	}
	if template.folder == nil {
		sweep()
		f, err := newFolder("", o)
		if err != nil {
			return err
		}
		if err := initdb(ctx, bin, filepath.Join(f.path, "data"), o); err != nil {
			return errors.Join(err, f.remove())
		}
		template.folder = f
	}
	return copyTree(filepath.Join(template.folder.path, "data"), path, o)
}

// keepTemplate says whether the template outlives the servers. Whoever keeps it drops it.
func keepTemplate(keep bool) {
	template.Lock()
	defer template.Unlock()
	template.kept = keep
}

// dropTemplate removes the template unless it is kept; the next server makes a new one.
func dropTemplate() error {
	template.Lock()
	defer template.Unlock()
	if template.kept {
		return nil
	}
	f := template.folder
	template.folder = nil
	if f == nil {
		return nil
	}
	return f.remove()
}

func initdb(ctx context.Context, bin, path string, o *owner) error {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"),
		"--pgdata", path, "--username", superuser, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	cmd.Dir = filepath.Dir(path)
	cmd.SysProcAttr = attributes(o)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb: %w: %s", err, out)
	}
	return nil
}

// copyTree copies a data directory that no server uses.
func copyTree(from, to string, o *owner) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, below)
		if d.IsDir() {
			err = os.Mkdir(target, 0o700)
		} else {
			err = copyFile(path, target)
		}
		if err != nil || o == nil {
			return err
		}
		return os.Lchown(target, o.uid, o.gid)
	})
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}
