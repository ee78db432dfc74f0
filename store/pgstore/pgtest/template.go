package pgtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// TemplateEnv names a folder in which processes that come after each other share their template, the data directory that each server is a copy of: for
// whoever starts many. It stays there. The server's account has to be let through to it.
const TemplateEnv = "ONCEWARD_PG_TEMPLATE"

// sharedTemplate is the template in a folder that others use too, made if it is not there.
func sharedTemplate(ctx context.Context, bin, dir string, o *owner) (string, error) {
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); err == nil {
		return data, nil
	}
	f, err := newFolder(dir, o)
	if err != nil {
		return "", err
	}
	made := filepath.Join(f.path, "data")
	if err = initdb(ctx, bin, made, o); err == nil {
		err = os.Rename(made, data) // whole, or not at all; of two processes one is first
		if _, there := os.Stat(data); there == nil {
			err = nil
		}
	}
	return data, errors.Join(err, f.remove())
}
