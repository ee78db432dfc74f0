package pgtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// serverOwner is the account that runs the server: this one, but for root, which PostgreSQL refuses.
func serverOwner() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.Atoi(u.Gid)
		return &owner{uid, gid}, err
	}
	return nil, fmt.Errorf("pgtest: PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// attributes make a child that runs as o and gets SIGQUIT, PostgreSQL's immediate shutdown, when this process dies.
func attributes(o *owner) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	if o != nil {
		a.Credential = &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)} //nolint:gosec // ids of the system
	}
	return a
}

// killTree kills a postmaster and its backends in one moment: it is stopped first, so that it neither starts others nor tells them to end.
func killTree(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	children := childrenOf(pid)
	for _, child := range children {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if !anyAlive(children) {
			return nil
		}
		<-tick.C
	}
	return fmt.Errorf("pgtest: backends of %d are alive 5 s after SIGKILL", pid)
}

// childrenOf reads /proc: field 4 of stat, the second after the name in parentheses, is the parent.
func childrenOf(pid int) (children []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if _, parent := status(path); parent == pid {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			children = append(children, child)
		}
	}
	return children
}

func anyAlive(pids []int) bool {
	for _, pid := range pids {
		if state, _ := status(fmt.Sprintf("/proc/%d/stat", pid)); state != "" && state != "Z" {
			return true
		}
	}
	return false
}

func status(path string) (state string, parent int) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", 0
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(string(fields[1]))
	return string(fields[0]), parent
}

// hold locks a new file for as long as this process lives.
func hold(path string) (*os.File, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// abandoned reports whether nobody holds the file.
func abandoned(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// removeSegment removes the System V segment that a killed server leaves, a few bytes by which it knows its data directory is in use.
// Line 7 of postmaster.pid has its key and id.
func removeSegment(data string) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return
	}
	if lines := bytes.Split(text, []byte("\n")); len(lines) >= 7 {
		if fields := bytes.Fields(lines[6]); len(fields) == 2 {
			_ = exec.Command("ipcrm", "-m", string(fields[1])).Run() // best effort
		}
	}
}
