package redistest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// attributes make a child that is killed when this process dies, and that is not root.
func attributes(dir string) (*syscall.SysProcAttr, error) {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if os.Geteuid() != 0 {
		return a, nil
	}
	for _, name := range []string{"redis", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		a.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return a, os.Chown(dir, int(uid), int(gid)) //nolint:gosec // ids of the system
	}
	return a, nil
}
