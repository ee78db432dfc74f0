// Command deb builds the Debian package of the command line and the sidecar, by way of dpkg-deb:
//
//	go run ./scripts/deb                 the package of this commit, in ./dist
//	go run ./scripts/deb -binary FILE    the same around a program that is built already
//
// The same commit gives the same package, byte for byte: names, times and owners come from the commit (SOURCE_DATE_EPOCH is one of another source),
// the program from Go's reproducible build.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// order says what is to be built.
type order struct {
	root        string // of the repository
	out         string // folder of the result
	binary      string // "": build it
	cached      bool   // build it as `go test` does
	compression string
	version     string
	arch        string
	at          time.Time
}

func main() {
	var o order
	flag.StringVar(&o.out, "out", "dist", "folder for the package")
	flag.StringVar(&o.binary, "binary", "", "the program, if it is built already; default: build it")
	flag.StringVar(&o.version, "version", "", "version of the package; default: from git describe")
	flag.StringVar(&o.arch, "arch", runtime.GOARCH, "amd64 or arm64")
	flag.StringVar(&o.compression, "compression", "xz", "xz, gzip or none")
	flag.BoolVar(&o.cached, "cached", false, "use what the go command has compiled for tests: quick, and not the same on another machine")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "deb:", err)
		os.Exit(1)
	}
}

func run(o order) error {
	file, err := goEnv("GOWORK")
	if err != nil {
		return err
	}
	if file == "" || file == "off" {
		return errors.New("no go.work here; run it inside the repository")
	}
	o.root = filepath.Dir(file)
	if o.arch != "amd64" && o.arch != "arm64" { // Go and Debian have the same words for these
		return fmt.Errorf("packages are made for amd64 and arm64, not for %s: give -arch", o.arch)
	}
	if o.version == "" {
		if o.version, err = describe(o.root); err != nil {
			return err
		}
	}
	if o.at, err = moment(o.root); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "onceward-deb")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if o.binary == "" {
		o.binary = filepath.Join(work, "onceward")
		if err := o.compile(); err != nil {
			return err
		}
	}
	deb, err := o.pack(filepath.Join(work, "tree"))
	if err == nil {
		fmt.Println(deb)
	}
	return err
}

// compile builds the program.
func (o order) compile() error {
	args := []string{"build", "-o", o.binary, "-buildvcs=false", "-ldflags", "-s -w -X main.packaged=" + o.version}
	if !o.cached {
		args = append(args, "-trimpath")
	}
	cmd := exec.Command("go", append(args, "./cmd/onceward")...)
	cmd.Dir, cmd.Stderr = o.root, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+o.arch, "CGO_ENABLED=0")
	return cmd.Run()
}

// pack lays the package out in tree and lets dpkg-deb make it.
func (o order) pack(tree string) (string, error) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		return "", errors.New("there is no dpkg-deb: install dpkg (Debian, Ubuntu, Fedora, Homebrew have it under this name)")
	}
	if err := o.lay(tree); err != nil {
		return "", err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return "", err
	}
	deb := filepath.Join(o.out, fmt.Sprintf("onceward_%s_%s.deb", o.version, o.arch))
	cmd := exec.Command("dpkg-deb", "--root-owner-group", "-Z"+o.compression, "--build", tree, deb)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", o.at.Unix()))
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("dpkg-deb: %w\n%s", err, said)
	}
	return deb, nil
}
