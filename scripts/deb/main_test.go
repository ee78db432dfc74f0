package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Versions sort as the commits do, by dpkg's own word.
func TestVersionsSortAsCommitsDo(t *testing.T) {
	var last string
	for said, want := range inOrder(
		"v0.0.0-12-gabc", "0.0.0+12.gabc", "v0.1.0-rc.1", "0.1.0~rc.1", "v0.1.0-rc.1-3-g12", "0.1.0~rc.1+3.g12", "v0.1.0", "0.1.0", "v0.1.0-dirty", "0.1.0+0.dirty",
		"v0.1.0-9-gdef", "0.1.0+9.gdef", "v0.1.0-10-gabc-dirty", "0.1.0+10.gabc.dirty", "v0.1.1", "0.1.1",
	) {
		got, err := debianVersion(said)
		if err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", said, got, err, want)
		}
		if last != "" && hasDpkg(t) && exec.CommandContext(t.Context(), "dpkg", "--compare-versions", last, "lt", got).Run() != nil {
			t.Errorf("%s is not below %s", last, got)
		}
		last = got
	}
	for _, said := range []string{"", "abc", "v1.2", "v1.2.3-4", "1.2.3", "v1.2.3-1-gabc-x"} {
		if got, err := debianVersion(said); err == nil {
			t.Errorf("%q is taken for version %s", said, got)
		}
	}
}

// inOrder yields pairs.
func inOrder(texts ...string) func(func(said, want string) bool) {
	return func(yield func(string, string) bool) {
		for i := 0; i < len(texts) && yield(texts[i], texts[i+1]); i += 2 {
		}
	}
}

// hasDpkg is false on systems that are not Debian's, but not in CI.
func hasDpkg(t *testing.T) bool {
	t.Helper()
	_, err := exec.LookPath("dpkg-deb")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("there is no dpkg-deb")
	}
	return err == nil
}

// stub is an order for a package around something small.
func stub(t *testing.T) order {
	t.Helper()
	if !hasDpkg(t) {
		t.Skip("there is no dpkg-deb, so the package is NOT tested here")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(binary, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	return order{root: root, out: t.TempDir(), binary: binary, compression: "xz", version: "1.2.3", arch: "arm64", at: time.Unix(1.8e9, 0).UTC()}
}

func packed(t *testing.T, o order) string {
	t.Helper()
	deb, err := o.pack(filepath.Join(t.TempDir(), "tree"))
	if err != nil {
		t.Fatal(err)
	}
	return deb
}

func TestThePackageIsTheSameEachTime(t *testing.T) {
	o := stub(t)
	one := read(t, packed(t, o))
	o.out = t.TempDir()
	if two := read(t, packed(t, o)); !bytes.Equal(one, two) {
		t.Error("two packages of the same differ")
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWhatIsInThePackage(t *testing.T) {
	deb := packed(t, stub(t))
	said := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	contents := said("dpkg-deb", "--contents", deb)
	for _, want := range []string{
		"-rwxr-xr-x root/root         9 2027-01-15 08:00 ./usr/bin/onceward\n", "-rw-r----- root/root", "./etc/default/onceward\n", "./etc/onceward/proxy.yaml\n",
		"./usr/lib/systemd/system/onceward-proxy.service\n", "./usr/share/doc/onceward/proxy.md\n", "./usr/share/man/man8/onceward-proxy.8.gz\n",
	} {
		if !strings.Contains(contents, want) {
			t.Errorf("no %q in\n%s", want, contents)
		}
	}
	if got := said("dpkg-deb", "--info", deb, "conffiles"); got != "/etc/onceward/proxy.yaml\n/etc/default/onceward\n" {
		t.Errorf("the administrator's files are %q", got)
	}
	if got := said("dpkg-deb", "--field", deb, "Package", "Version", "Architecture"); got != "Package: onceward\nVersion: 1.2.3\nArchitecture: arm64\n" {
		t.Errorf("%q", got)
	}
	files := t.TempDir()
	said("dpkg-deb", "--raw-extract", deb, files+"/x")
	said("sh", "-c", "cd "+files+"/x && md5sum --check --strict DEBIAN/md5sums")
	licenses := said("zcat", files+"/x/usr/share/doc/onceward/licenses.gz")
	for _, module := range []string{"github.com/cockroachdb/pebble/v2", "github.com/jackc/pgx/v5", "Go's standard library"} {
		if !strings.Contains(licenses, "==== "+module) {
			t.Errorf("the licence of %s is missing", module)
		}
	}
	if page := said("zcat", files+"/x/usr/share/man/man1/onceward.1.gz"); !strings.HasPrefix(page, `.TH ONCEWARD 1 "2027-01-15" "onceward 1.2.3"`) {
		t.Errorf("the page begins with %.80s", page)
	}
}
