//go:build !race

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asMachine names, in the environment, the folder in which the test binary makes a machine of itself; asMachineGroup its cgroup.
const (
	asMachine      = "ONCEWARD_TEST_AS_MACHINE"
	asMachineGroup = "ONCEWARD_TEST_AS_MACHINE_CGROUP"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(asMachine); dir != "" {
		boot(dir, os.Getenv(asMachineGroup))
	}
	os.Exit(m.Run())
}

// The package is installed, started, reloaded, upgraded, removed and purged by the real dpkg and systemd, on a copy of this system in namespaces of
// its own: what it writes is in memory, its network is a loopback. [TestInside] is what happens there.
func TestThePackageInAMachine(t *testing.T) {
	if missing := missingForMachine(); missing != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("the package cannot be installed for want of " + missing)
		}
		t.Skip("the package is NOT installed and started here, for want of " + missing)
	}
	dir := t.TempDir()
	shared := filepath.Join(dir, "shared")
	o := order{root: root(t), out: shared, binary: filepath.Join(dir, "onceward"), cached: true, compression: "none", version: "1.0.0", arch: runtime.GOARCH, at: time.Unix(1.8e9, 0)}
	if err := o.compile(); err != nil {
		t.Fatal(err)
	}
	for _, o.version = range []string{"1.0.0", "1.1.0"} {
		packed(t, o)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shared, "inside"), read(t, self), 0o700); err != nil { //nolint:gosec // it is executed
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), asMachine+"="+dir, asMachineGroup+"="+group(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC, Pdeathsig: syscall.SIGKILL,
	}
	console, err := cmd.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(shared, "log"))
	status, _ := os.ReadFile(filepath.Join(shared, "status"))
	if string(status) != "0\n" {
		t.Fatalf("the machine ended with %v (switched off: signal interrupt), the test in it with %q\n%s\n%s", err, status, console, log)
	}
	t.Logf("%s", log)
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// missingForMachine says what this system lacks.
func missingForMachine() string {
	for _, tool := range []string{"dpkg", "dpkg-deb", "systemctl", "systemd-analyze", "adduser", "deb-systemd-invoke"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool
		}
	}
	if os.Getuid() != 0 {
		return "root"
	}
	if unified() == "" {
		return "a cgroup2 file system"
	}
	return ""
}

// unified is where the cgroup2 file system is.
func unified() string {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	return ""
}

// group makes a cgroup for the machine, below our own, and removes it at the end.
func group(t *testing.T) string {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	_, path, _ := strings.Cut(string(own), "0::")
	path, _, _ = strings.Cut(path, "\n")
	dir, err := os.MkdirTemp(filepath.Join(unified(), path), "onceward-deb-") //nolint:usetesting // it has to be there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("find", dir, "-depth", "-type", "d", "-delete").CombinedOutput(); err != nil {
			t.Errorf("the machine's cgroup stays: %v %s", err, out)
		}
	})
	return dir
}

// boot turns the process, the first in its namespaces, into a machine that runs TestInside from dir/shared. It does not return.
func boot(dir, group string) {
	runtime.LockOSThread() // namespaces are a thread's
	at := filepath.Join(dir, "machine")
	system := filepath.Join(at, "root")
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	mount := func(what, kind, where string, flags uintptr, data string) {
		if _, err := os.Stat(where); err != nil {
			must(os.MkdirAll(where, 0o755))
		}
		if err := syscall.Mount(what, where, kind, flags, data); err != nil {
			panic("mount " + kind + " at " + where + ": " + err.Error())
		}
	}
	must(os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0o600))
	must(syscall.Unshare(syscall.CLONE_NEWCGROUP))
	mount("none", "", "/", syscall.MS_REC|syscall.MS_PRIVATE, "")
	mount("machine", "tmpfs", at, 0, "")
	for _, layer := range []string{"upper", "work"} {
		must(os.Mkdir(filepath.Join(at, layer), 0o755))
	}
	mount("machine", "overlay", system, 0, "lowerdir=/,upperdir="+at+"/upper,workdir="+at+"/work")
	mount("proc", "proc", system+"/proc", 0, "")
	mount("sysfs", "sysfs", system+"/sys", syscall.MS_RDONLY, "")
	mount("cgroup", "cgroup2", system+"/sys/fs/cgroup", 0, "")
	mount("run", "tmpfs", system+"/run", 0, "mode=755")
	mount("dev", "tmpfs", system+"/dev", 0, "mode=755")
	mount("shm", "tmpfs", system+"/dev/shm", 0, "")
	for _, device := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		must(os.WriteFile(filepath.Join(system, "dev", device), nil, 0o600))
		mount("/dev/"+device, "", filepath.Join(system, "dev", device), syscall.MS_BIND, "")
	}
	mount("devpts", "devpts", system+"/dev/pts", 0, "newinstance,ptmxmode=0666,mode=620")
	must(os.Symlink("pts/ptmx", system+"/dev/ptmx"))
	mount(filepath.Join(dir, "shared"), "", system+"/shared", syscall.MS_BIND, "")
	for name, text := range map[string]string{
		"etc/systemd/system/inside.target":                     "[Unit]\nWants=inside.service\n",
		"etc/systemd/system/inside.service":                    insideService,
		"etc/systemd/system/network-online.target.d/none.conf": "[Unit]\nWants=\nAfter=\n",
		"etc/fstab":            "",
		"usr/sbin/policy-rc.d": "#!/bin/sh\nexit 0\n", // images of containers have one that forbids
	} {
		must(os.MkdirAll(filepath.Dir(filepath.Join(system, name)), 0o755))
		must(os.WriteFile(filepath.Join(system, name), []byte(text), 0o600))
	}
	must(os.Chmod(system+"/usr/sbin/policy-rc.d", 0o755))
	must(os.RemoveAll(system + "/var/lib/man-db/auto-update")) // an index of all pages, for six seconds
	must(syscall.Chroot(system))
	must(os.Chdir("/"))
	must(syscall.Exec("/lib/systemd/systemd", []string{"systemd", "--system", "--unit=inside.target", "--show-status=0"},
		[]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "container=onceward", "LC_ALL=C"}))
}

const insideService = `[Service]
Environment=ONCEWARD_TEST_INSIDE=1 DEBIAN_FRONTEND=noninteractive HOME=/root
WorkingDirectory=/shared
StandardOutput=file:/shared/log
StandardError=inherit
ExecStart=/bin/sh -c './inside -test.v -test.run "^TestInside$"; echo $? >status; exec systemctl --force --force poweroff'
`
