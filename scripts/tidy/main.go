// Command tidy is "go mod tidy" for every module of go.work.
//
// Our modules require each other at a version that is not published yet. go.work says where it is, but "go mod tidy" ignores
// go.work, and a go.mod that said it with a replace could not be installed with "go install …@latest". So each module
// is tidied by way of a temporary modfile that has the replaces; the result is copied back without them.
//
// With -check nothing is written: the exit status is 1 if something would change.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// workspace is the part of "go work edit -json" that tidy needs.
type workspace struct {
	Use []struct {
		DiskPath string
	}
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

func main() {
	check := flag.Bool("check", false, "write nothing; fail if something would change")
	flag.Parse()
	changed, err := tidyAll(!*check)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tidy:", err)
		os.Exit(1)
	}
	if *check && changed {
		fmt.Fprintln(os.Stderr, "tidy: run: make tidy")
		os.Exit(1)
	}
}

func tidyAll(write bool) (changed bool, err error) {
	gowork, err := run("", "go", "env", "GOWORK")
	if err != nil {
		return false, err
	}
	file := string(bytes.TrimSpace(gowork))
	if file == "" || file == "off" {
		return false, fmt.Errorf("no go.work here; run it inside the repository")
	}
	edited, err := run("", "go", "work", "edit", "-json", file)
	if err != nil {
		return false, err
	}
	var work workspace
	if err := json.Unmarshal(edited, &work); err != nil {
		return false, fmt.Errorf("read %s: %w", file, err)
	}
	root := filepath.Dir(file)
	for _, use := range work.Use {
		files, err := tidyModule(root, use.DiskPath, work)
		if err != nil {
			return changed, fmt.Errorf("module %s: %w", use.DiskPath, err)
		}
		for _, f := range files {
			if have, err := os.ReadFile(f.path); bytes.Equal(have, f.content) && (err == nil || len(f.content) == 0) {
				continue
			}
			changed = true
			fmt.Println("not tidy:", f.path)
			if !write {
				continue
			}
			if err := os.WriteFile(f.path, f.content, 0o644); err != nil {
				return changed, err
			}
		}
	}
	return changed, nil
}

// output is a file as it should be.
type output struct {
	path    string
	content []byte
}

func tidyModule(root, dir string, work workspace) ([]output, error) {
	temp, err := os.MkdirTemp("", "tidy-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	module := filepath.Join(root, dir)
	mod, sum := filepath.Join(temp, "go.mod"), filepath.Join(temp, "go.sum")
	for from, to := range map[string]string{"go.mod": mod, "go.sum": sum} {
		content, err := os.ReadFile(filepath.Join(module, from))
		if err != nil && (from == "go.mod" || !os.IsNotExist(err)) {
			return nil, err
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return nil, err
		}
	}
	var add, drop []string
	for _, r := range work.Replace {
		old := r.Old.Path
		if r.Old.Version != "" {
			old += "@" + r.Old.Version
		}
		add = append(add, "-replace="+old+"="+filepath.Join(root, r.New.Path))
		drop = append(drop, "-dropreplace="+old)
	}
	steps := [][]string{
		append(append([]string{"go", "mod", "edit"}, add...), mod),
		{"go", "mod", "tidy", "-modfile=" + mod},
		append(append([]string{"go", "mod", "edit"}, drop...), mod),
	}
	for _, step := range steps {
		if _, err := run(module, step[0], step[1:]...); err != nil {
			return nil, err
		}
	}
	var files []output
	for from, to := range map[string]string{mod: "go.mod", sum: "go.sum"} {
		content, err := os.ReadFile(from)
		if err != nil && !os.IsNotExist(err) { // tidy removes a go.sum that has become empty
			return nil, err
		}
		files = append(files, output{filepath.Join(module, to), content})
	}
	return files, nil
}

// run executes a command outside of the workspace, unless dir is empty.
func run(dir, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	if dir != "" {
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w\n%s", name, args, err, stderr.Bytes())
	}
	return out, nil
}
