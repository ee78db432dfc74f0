package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const maintainer = "onceward maintainers <maintainers@onceward.invalid>"

// control is what dpkg knows of the package; size is that of its files.
func (o order) control(size int) string {
	return fmt.Sprintf(`Package: onceward
Version: %s
Architecture: %s
Maintainer: %s
Installed-Size: %d
Depends: adduser
Recommends: ca-certificates
Section: net
Priority: optional
Homepage: https://github.com/onceward/onceward
Description: makes a service's POSTs safe to retry
 A reverse proxy in front of a service in any language: a request with an
 Idempotency-Key reaches the service once, its reply is saved, and each retry
 is given that reply. What was answered survives crashes and power loss.
 .
 The package has the service onceward-proxy, and the command onceward, which
 operates it and its store.
`, o.version, o.arch, maintainer, (size+1023)/1024)
}

// changelog has the form that Debian wants; what has changed is in NEWS.
func (o order) changelog() string {
	return fmt.Sprintf("onceward (%s) unstable; urgency=medium\n\n  * Packaged from the source. NEWS.gz in this folder says what has changed.\n\n -- %s  %s\n",
		o.version, maintainer, o.at.Format(time.RFC1123Z))
}

// licenses are the texts of everybody whose module is in the program: they ask for being handed on with it.
func (o order) licenses() ([]byte, error) {
	said, err := output(o.root, "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}} {{.Dir}}{{end}}", "./cmd/onceward")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	seen := map[string]bool{}
	for line := range strings.Lines(said) {
		fields := strings.Fields(line)
		if len(fields) < 3 || seen[fields[0]] || strings.HasPrefix(fields[0], "github.com/onceward/onceward") {
			continue
		}
		seen[fields[0]] = true
		if err := addLicenses(&b, fields[0]+" "+fields[1], fields[2]); err != nil {
			return nil, err
		}
	}
	goroot, err := goEnv("GOROOT")
	if err == nil {
		err = addLicenses(&b, "Go's standard library", goroot)
	}
	return b.Bytes(), err
}

// isLicense is how such files are called.
var isLicense = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)`)

func addLicenses(b *bytes.Buffer, of, dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, f := range files {
		if f.IsDir() || !isLicense.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(b, "==== %s: %s\n\n%s\n\n", of, f.Name(), bytes.TrimSpace(text))
	}
	if !found {
		return fmt.Errorf("%s has no licence in %s: it may not be handed on", of, dir)
	}
	return nil
}
